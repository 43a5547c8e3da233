// Light, dark, or as the system has it; remembered in this browser.

const THEMES = { "": "system", light: "light", dark: "dark" };

function set(theme) {
  document.documentElement.dataset.theme = theme;
  document.querySelector("#theme span").textContent = THEMES[theme];
  localStorage.setItem("glassloom-theme", theme);
}

export function startTheme() {
  const known = localStorage.getItem("glassloom-theme") ?? "";
  set(known in THEMES ? known : "");
  document.querySelector("#theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    set(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  });
}
