// The lists that slide in where the page is too narrow for them: rooms from the
// left, people from the right. While one is open, Escape and the shade close it,
// and the focus returns to what opened it.

const $ = (id) => document.getElementById(id);

export class Drawers {
  #open = null; // {panel, opener}

  constructor() {
    for (const name of ["side", "people"]) {
      $(`${name}-open`).addEventListener("click", () => this.#show($(name), $(`${name}-open`)));
      $(`${name}-close`).addEventListener("click", () => this.close());
    }
    $("link-open").addEventListener("click", () => this.#showLink());
    $("shade").addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    for (const width of ["759px", "1099px"]) {
      matchMedia(`(max-width: ${width})`).addEventListener("change", () => this.close());
    }
  }

  #show(panel, opener) {
    this.close();
    this.#open = { panel, opener };
    panel.classList.add("open");
    opener.setAttribute("aria-expanded", "true");
    $("shade").hidden = false;
    $("chat").inert = true;
    panel.querySelector("button")?.focus();
  }

  // The connection is at the right, too, and wide pages show it all the time.
  #showLink() {
    if (matchMedia("(max-width: 1099px)").matches) this.#show($("people"), $("link-open"));
    $("ways").querySelector(":checked").focus();
  }

  close() {
    if (!this.#open) return;
    const { panel, opener } = this.#open;
    this.#open = null;
    panel.classList.remove("open");
    opener.setAttribute("aria-expanded", "false");
    $("shade").hidden = true;
    $("chat").inert = false;
    opener.focus();
  }
}
