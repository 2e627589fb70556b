// A classic script in the head: it runs before the first paint, so that no wrong theme flashes up.
(() => {
  try {
    const theme = localStorage.getItem("topgenre.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off: the page follows the system.
  }
})();
