// Reloads the organiser's page every ten seconds, unless it is hidden or text is selected.
"use strict";
setInterval(() => {
  if (!document.hidden && !String(getSelection())) location.reload();
}, 10000);
