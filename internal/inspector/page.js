"use strict";
(() => {
  const pause = document.getElementById("pause");
  const link = document.getElementById("link");
  const shown = new Map();
  let source = null;
  let paused = false;

  const tell = text => { if (link.textContent !== text) link.textContent = text; };

  // replace changes a part of the page, and leaves alone what its reader is busy with.
  const replace = (id, html) => {
    const part = document.getElementById(id);
    const selection = getSelection();
    if (!part || shown.get(id) === html) return;
    if (!selection.isCollapsed && part.contains(selection.anchorNode)) return;
    shown.set(id, html);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const open = Array.from(part.querySelectorAll("details[open]"), details => details.id);
    part.innerHTML = html;
    for (const details of open) document.getElementById(details)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  const disconnect = () => {
    source?.close();
    source = null;
  };

  const connect = () => {
    disconnect();
    if (paused || document.hidden) return;
    source = new EventSource("?parts");
    source.onmessage = event => {
      tell("live");
      document.body.classList.add("live");
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    };
    source.onerror = () => {
      document.body.classList.remove("live");
      tell("connecting again");
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    document.body.classList.toggle("live", false);
    tell(paused ? "paused" : "connecting");
    connect();
  });
  document.addEventListener("visibilitychange", connect); // a page that nobody sees needs no stream
  connect();
})();
