// Plays all videos of a case in step: the video with sound is the clock, the others follow it.
(() => {
  "use strict";
  const root = document.getElementById("player");
  const videos = [...root.querySelectorAll("video")];
  const play = document.getElementById("play");
  const seek = document.getElementById("seek");
  const clock = document.getElementById("clock");
  const speed = document.getElementById("speed");
  const loop = document.getElementById("loop");
  const sounds = [...root.querySelectorAll("input[name=sound]")];
  const fps = Number(root.dataset.fps);
  const seconds = Number(root.dataset.seconds);
  const last = Math.max(0, seconds - 0.5 / fps);
  const NEAR = 0.02; // seconds of drift that are not visible
  const FAR = 0.15; // seconds of drift that call for a seek
  const playheads = [];
  let playing = false;
  let master = videos[0];

  for (const plot of document.querySelectorAll("svg.timed")) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "playhead");
    const frame = plot.dataset; // the extent of the axes within the drawing
    const left = Number(frame.left);
    const across = Number(frame.right) - left;
    line.setAttribute("y1", frame.top);
    line.setAttribute("y2", frame.bottom);
    plot.append(line);
    playheads.push({ line, left, across });
    plot.addEventListener("click", (event) => {
      const box = plot.getBoundingClientRect();
      const unit = ((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width;
      seekTo(((unit - left) / across) * seconds);
    });
  }

  function show(time) {
    const at = Math.min(Math.max(time, 0), seconds);
    seek.value = String(at);
    clock.textContent = `${at.toFixed(2)} s · ${Math.floor(at * fps + 1e-6)}`;
    for (const { line, left, across } of playheads) {
      const x = String(left + (seconds ? at / seconds : 0) * across);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
  }

  function seekTo(time) {
    const at = Math.min(Math.max(time, 0), last);
    for (const video of videos) video.currentTime = at;
    show(at);
  }

  function setPlaying(wanted) {
    playing = wanted && videos.length > 0;
    play.textContent = playing ? play.dataset.pause : play.dataset.play;
    play.setAttribute("aria-pressed", String(playing));
    if (!playing) {
      for (const video of videos) video.pause();
      if (master) seekTo(master.currentTime);
      return;
    }
    if (master.ended || master.currentTime >= last) seekTo(0);
    for (const video of videos) start(video);
    requestAnimationFrame(follow);
  }

  function start(video) {
    video.playbackRate = Number(speed.value);
    const started = video.play();
    if (started) started.catch(() => undefined); // a pause interrupted it; the next click plays again
  }

  function follow() {
    if (!playing) return;
    const rate = Number(speed.value);
    if (master.ended || master.currentTime >= seconds - 0.01) {
      if (!loop.checked) {
        setPlaying(false);
        return;
      }
      seekTo(0);
      for (const video of videos) start(video);
    }
    for (const video of videos) {
      if (video === master) continue;
      const drift = video.currentTime - master.currentTime;
      if (video.ended) continue;
      if (Math.abs(drift) > FAR) video.currentTime = master.currentTime;
      video.playbackRate = Math.abs(drift) > NEAR ? rate * (drift > 0 ? 0.92 : 1.08) : rate;
    }
    show(master.currentTime);
    requestAnimationFrame(follow);
  }

  function hear(index) {
    const chosen = root.querySelectorAll(".tile")[index].querySelector("video");
    const time = master ? master.currentTime : 0;
    master = chosen;
    for (const video of videos) video.muted = video !== master;
    if (!playing) return;
    master.playbackRate = Number(speed.value);
    if (Math.abs(master.currentTime - time) > FAR) master.currentTime = time;
  }

  function step(frames) {
    setPlaying(false);
    if (!master) return;
    const frame = Math.floor(master.currentTime * fps + 1e-6) + frames;
    seekTo((frame + 0.5) / fps); // the middle of a frame, so that rounding cannot show its neighbour
  }

  play.addEventListener("click", () => setPlaying(!playing));
  document.getElementById("back").addEventListener("click", () => step(-1));
  document.getElementById("forward").addEventListener("click", () => step(1));
  seek.addEventListener("input", () => {
    const at = Number(seek.value);
    setPlaying(false);
    seekTo(at);
  });
  speed.addEventListener("change", () => {
    for (const video of videos) video.playbackRate = Number(speed.value);
  });
  for (const sound of sounds) sound.addEventListener("change", () => hear(Number(sound.value)));
  for (const moment of document.querySelectorAll(".moments button")) {
    moment.addEventListener("click", () => {
      setPlaying(false);
      seekTo(Number(moment.dataset.seconds));
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inField = event.target.closest("input[type=range], select, summary, a");
    const onButton = event.target.closest("button");
    if (event.key === " " && !onButton && !inField) setPlaying(!playing);
    else if (event.key === "ArrowLeft" && !inField) step(-1);
    else if (event.key === "ArrowRight" && !inField) step(1);
    else if (event.key === "Home" && !inField) seekTo(0);
    else if (event.key === "l") loop.checked = !loop.checked;
    else if (event.key === "s") speed.selectedIndex = (speed.selectedIndex + 1) % 3;
    else return;
    if (event.key === "s") speed.dispatchEvent(new Event("change"));
    event.preventDefault();
  });
  if (sounds.length) {
    sounds[0].checked = true;
    hear(Number(sounds[0].value));
  }
  show(0);
})();
