// One page of the questionnaire: play to the end, rate by mouse, touch or keys, save, continue.
// `keeper` stores the answers: on the server, or in a file.
"use strict";
(() => {
  const words = document.getElementById("words").dataset;
  const status = document.getElementById("status");
  const next = document.getElementById("next");
  const UNSEEN = 0.3; // seconds that may be missing at the ends of what was played
  let page = null;
  let leaving = false;
  const saves = new Set(); // saves that have not finished

  function tell(key) {
    status.textContent = key === "left" ? words.left.replace("{n}", open().length) : words[key];
    status.dataset.state = key;
  }

  function open() {
    return [...page.querySelectorAll("fieldset")].filter((f) => !f.querySelector("input:checked"));
  }

  function refresh() {
    const refused = page.querySelector('textarea[aria-invalid="true"]');
    next.disabled = leaving || open().length > 0 || Boolean(refused);
  }

  // ---- watching ----

  function wasSeen(video) {
    let seconds = 0;
    for (let part = 0; part < video.played.length; part += 1) {
      seconds += video.played.end(part) - video.played.start(part);
    }
    return seconds >= video.duration - UNSEEN;
  }

  function unlock(card) {
    card.dataset.watched = "yes";
    for (const fieldset of card.querySelectorAll("fieldset")) fieldset.disabled = false;
    card.querySelector(".watch").textContent = "";
    const first = open().find((fieldset) => card.contains(fieldset));
    if (first) first.focus({ preventScroll: true }); // not its input, so that space still plays
    refresh();
  }

  function toggle(card) {
    const video = card.querySelector("video");
    if (!video.paused) {
      video.pause();
      return;
    }
    for (const other of page.querySelectorAll("video")) if (other !== video) other.pause();
    video.play().catch(() => broken(card));
  }

  function broken(card) {
    if (card.querySelector("video").error) card.querySelector(".watch").textContent = words.broken;
  }

  function watch(card) {
    const video = card.querySelector("video");
    const button = card.querySelector(".play");
    const bar = card.querySelector("progress");
    button.addEventListener("click", () => toggle(card));
    video.addEventListener("click", () => toggle(card));
    video.addEventListener("play", () => (button.textContent = words.pause));
    video.addEventListener("pause", () => {
      button.textContent = card.dataset.watched === "yes" ? words.again : words.play;
    });
    video.addEventListener("timeupdate", () => {
      bar.value = (100 * video.currentTime) / (video.duration || 1);
    });
    video.addEventListener("ended", () => {
      bar.value = 100;
      if (card.dataset.watched !== "yes" && wasSeen(video)) unlock(card);
      button.textContent = card.dataset.watched === "yes" ? words.again : words.play;
    });
    video.addEventListener("error", () => broken(card));
    if (card.dataset.watched === "yes") {
      unlock(card);
      button.textContent = words.again;
    }
  }

  // ---- answering ----

  async function save(answer, remark) {
    tell("saving");
    const sent = keeper.save(answer, tell);
    saves.add(sent);
    refresh();
    try {
      await sent;
      saves.delete(sent);
      if (remark) remark.removeAttribute("aria-invalid");
      if (!saves.size) tell(open().length ? "left" : "saved");
    } catch (error) {
      tell(remark ? "remark" : "refused");
      if (!remark) return; // a refused rating stays in `saves`: the page must be reloaded
      saves.delete(sent); // the rater can correct a remark
      remark.setAttribute("aria-invalid", "true");
    }
    refresh();
  }

  function listen(card) {
    const item = card.dataset.item;
    for (const fieldset of card.querySelectorAll("fieldset")) {
      fieldset.addEventListener("change", (event) => {
        const rating = Number(event.target.value);
        save({ item, ratings: { [fieldset.dataset.question]: rating } });
      });
    }
    const remark = card.querySelector("textarea");
    if (remark) {
      remark.addEventListener("change", () => {
        save({ item, ratings: {}, comment: remark.value }, remark);
      });
    }
  }

  function rate(value) {
    const active = document.activeElement.closest("fieldset:not([disabled])");
    const fieldset = active || open().find((one) => !one.disabled);
    if (!fieldset) return;
    const input = fieldset.querySelector(`input[value="${value}"]`);
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    (open().find((one) => !one.disabled) || fieldset).focus();
  }

  async function leave() {
    if (leaving || open().length) return;
    leaving = true; // ignore a second click
    refresh();
    if (document.activeElement) document.activeElement.blur(); // saves a remark being written
    try {
      await Promise.all(saves);
    } catch (error) {
      leaving = false;
      refresh();
      return;
    }
    const section = keeper.next();
    if (section !== undefined) show(section);
  }

  function show(section) {
    page = section;
    leaving = false;
    if (!page) return;
    next.textContent = page.dataset.last === "yes" ? words.finish : words.next;
    for (const card of page.querySelectorAll(".card")) {
      if (card.dataset.heard) continue;
      card.dataset.heard = "yes";
      watch(card);
      listen(card);
    }
    tell("left");
    refresh();
    const unseen = page.querySelector('.card[data-watched="no"] .play');
    if (unseen) unseen.focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (event) => {
    if (!page || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement;
    if (at.matches("textarea")) return;
    const isControl = at.matches("button, a, summary, input, video");
    if (/^[1-5]$/.test(event.key)) {
      event.preventDefault();
      rate(Number(event.key));
    } else if (event.key === " " && !isControl) {
      event.preventDefault();
      toggle(page.querySelector('.card[data-watched="no"]') || page.querySelector(".card"));
    } else if (event.key === "Enter" && !at.matches("button, a, summary")) {
      event.preventDefault();
      leave();
    }
  });

  next.addEventListener("click", leave);
  const begin = document.getElementById("begin");
  if (begin) begin.addEventListener("click", () => show(keeper.next()));
  show(keeper.first());
})();
