// What a page does before, and without, WebAssembly: the theme switch, the keys, the help and the popovers. It only
// clicks, focuses, sends and opens what is in the page; what a key means stands there, in `data-key`.
(() => {
  const root = document.documentElement;
  root.dataset.scripts = "on";

  function setTheme(theme) {
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
  }

  function isTyping(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }

  function closePopovers(except) {
    for (const popover of document.querySelectorAll("details.popover[open]")) {
      if (!popover.contains(except)) popover.open = false;
    }
  }

  async function copy(button) {
    const done = button.querySelector("[role=status]");
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    } catch {
      return;
    }
    button.dataset.copied = "";
    done.textContent = "Copied";
    setTimeout(() => {
      delete button.dataset.copied;
      done.textContent = "";
    }, 2000);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-set-theme], [data-copies], [data-opens]");
    if (target?.dataset.setTheme) setTheme(target.dataset.setTheme);
    if (target?.dataset.copies) copy(target);
    if (target?.dataset.opens) document.getElementById(target.dataset.opens)?.showModal();
    closePopovers(event.target);
    if (event.target.closest("[popover] a")) event.target.closest("[popover]").hidePopover();
  });

  document.addEventListener("change", (event) => {
    if ("submits" in event.target.dataset) event.target.form.requestSubmit();
  });

  document.addEventListener("submit", () => closePopovers(null), true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePopovers(null);
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      document.getElementById("shortcuts")?.showModal();
      return;
    }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!target) return;
    event.preventDefault();
    if (isTyping(target)) target.focus();
    else target.click();
  });
})();
