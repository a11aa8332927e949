// Stores the answers in this browser, shows one page after another, and saves all to a csv file.
"use strict";
(() => {
  const start = document.getElementById("start");
  const done = document.getElementById("done");
  const bar = document.getElementById("bar");
  const words = document.getElementById("words").dataset;
  const pages = [...document.querySelectorAll("section.page")];
  const { study, rater } = start.dataset;
  const place = `study-${study}-${rater}`;
  // by item: {ratings: {question: {rating, at}}, comment}
  const answers = Object.assign(read(), carried());

  function read() {
    try {
      return JSON.parse(localStorage.getItem(place)) || {};
    } catch (error) {
      return {};
    }
  }

  // Answers given on the page in the other language: some browsers give each file its own storage.
  function carried() {
    let given = {};
    try {
      given = JSON.parse(decodeURIComponent(location.hash.slice(1)));
      history.replaceState(null, "", "#");
    } catch (error) {
      return {}; // no answers behind the #
    }
    const known = Object.entries(given).filter(([item, one]) => {
      return one && one.ratings && document.querySelector(`.card[data-item="${CSS.escape(item)}"]`);
    });
    return Object.fromEntries(known);
  }

  function keep() {
    try {
      localStorage.setItem(place, JSON.stringify(answers));
    } catch (error) {
      // The answers stay in memory while the page is open; saving to a file still works.
    }
    const some = Object.keys(answers).length > 0;
    document.querySelector("#start [data-download]").hidden = !some;
    if (some) document.getElementById("begin").textContent = words.goOn;
  }

  function restore(section) {
    for (const card of section.querySelectorAll(".card")) {
      const known = answers[card.dataset.item];
      if (!known) continue;
      card.dataset.watched = "yes";
      for (const [question, { rating }] of Object.entries(known.ratings)) {
        const fieldset = card.querySelector(`fieldset[data-question="${question}"]`);
        if (fieldset) fieldset.querySelector(`input[value="${rating}"]`).checked = true;
      }
      const remark = card.querySelector("textarea");
      if (remark && known.comment) {
        remark.value = known.comment;
        card.querySelector(".remark").open = true;
      }
    }
  }

  function isOpen(section) {
    return [...section.querySelectorAll("fieldset")].some((f) => !f.querySelector("input:checked"));
  }

  function cell(text) {
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv() {
    const lines = ["study,rater,item,question,rating,at,comment"];
    for (const [item, { ratings, comment }] of Object.entries(answers)) {
      let said = comment || "";
      for (const [question, { rating, at }] of Object.entries(ratings)) {
        lines.push([study, rater, item, question, String(rating), at, said].map(cell).join(","));
        said = ""; // once, beside the first question
      }
    }
    return `${lines.join("\n")}\n`;
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `answers_${study}_${rater}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function count() {
    const finished = pages.filter((section) => !isOpen(section)).length;
    document.getElementById("progress").value = finished;
    document.getElementById("count").textContent = words.of
      .replace("{done}", finished)
      .replace("{all}", pages.length);
  }

  window.keeper = {
    async save({ item, ratings, comment }) {
      const known = (answers[item] ||= { ratings: {}, comment: "" });
      const at = new Date().toISOString();
      for (const [question, rating] of Object.entries(ratings)) {
        known.ratings[question] = { rating, at };
      }
      if (comment !== undefined) known.comment = comment;
      keep();
    },
    first() {
      return null; // the start page comes first
    },
    next() {
      start.hidden = true;
      count();
      for (const section of pages) section.hidden = true;
      const section = pages.find(isOpen);
      bar.hidden = !section;
      done.hidden = Boolean(section);
      if (!section) return null;
      section.hidden = false;
      for (const video of section.querySelectorAll("video")) video.preload = "auto";
      window.scrollTo(0, 0);
      return section;
    },
  };

  pages.forEach(restore);
  keep();
  count();
  for (const link of document.querySelectorAll("header nav a")) {
    link.addEventListener("click", () => {
      link.hash = encodeURIComponent(JSON.stringify(answers));
    });
  }
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", download);
  }
})();
