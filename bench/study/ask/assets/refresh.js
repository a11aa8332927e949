// The organiser's page shows what has come in.
"use strict";
setInterval(() => {
  if (!document.hidden && !String(getSelection())) location.reload();
}, 10000);
