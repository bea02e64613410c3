// Not a module: it runs before the first paint, so that nothing moves when the modules bring the page to life.
document.documentElement.classList.add("scripted");
