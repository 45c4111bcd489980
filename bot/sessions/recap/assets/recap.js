"use strict";
(() => {
  const players = [...document.querySelectorAll("audio")];
  const button = document.getElementById("play-all");
  const start = button.textContent;
  let all = false;
  const show = () => { button.textContent = all ? button.dataset.stop : start; };
  const stop = () => { all = false; show(); };
  const play = (player) => { player.currentTime = 0; player.play().catch(stop); };
  players.forEach((player, place) => {
    player.addEventListener("play", () => {
      player.closest("details").open = true;
      for (const other of players) if (other !== player) other.pause();
    });
    player.addEventListener("ended", () => {
      if (!all) return;
      const next = players[place + 1];
      if (next) play(next); else stop();
    });
  });
  if (players.length > 1) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (all) { stop(); players.forEach((player) => player.pause()); return; }
      all = true;
      show();
      play(players[0]);
    });
  }
  const entries = [...document.querySelectorAll("details.entry")];
  const open = () => {
    const entry = document.getElementById(location.hash.slice(1));
    if (entry && entry.matches("details.entry")) { entry.open = true; entry.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
  let before = [];
  addEventListener("beforeprint", () => {
    before = entries.filter((entry) => !entry.open);
    for (const entry of before) entry.open = true;
  });
  addEventListener("afterprint", () => { for (const entry of before) entry.open = false; });
  for (const time of document.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      time.textContent = moment.toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
    }
  }
})();
