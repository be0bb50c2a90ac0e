(() => {
  const form = document.getElementById("filters"), said = document.getElementById("count");
  const rows = [...document.querySelectorAll("#runs > tbody > tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const fields = [...form.querySelectorAll("select")];
  const filter = () => {
    const words = form.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const kept = words.every((word) => texts[index].includes(word))
        && fields.every((field) => !field.value || row.dataset[field.name] === field.value);
      row.hidden = !kept;
      shown += kept;
    });
    said.textContent = `${shown} of ${rows.length} runs`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form.search.focus();
    } else if (event.key === "Escape" && typing) {
      form.reset();
      // Not a moment later, as for the button: what is typed next counts from here.
      filter();
    }
  });
  form.hidden = false;
  // What the browser kept of the fields from the last visit counts.
  filter();
})();
