// The part of the page that breaks the connection on purpose: which transport is
// used, and whether the plug is in.

import { Hub } from "./hub/client.js";

const $ = (id) => document.getElementById(id);
const outFor = 10_000; // ms
const robotWrites = 10; // messages at a time

export class Plug {
  #chat;
  #status;
  #current;
  #backAt = 0; // when the plug is put in again
  #tick = 0;
  #robot = null;
  #number = 0;

  // current returns the name of the room that is shown.
  constructor(chat, status, current) {
    this.#chat = chat;
    this.#status = status;
    this.#current = current;
    $("ways").addEventListener("change", () => this.#change());
    $("drop").addEventListener("click", () => chat.reconnect());
    $("plug").addEventListener("click", () => (chat.hub ? this.#pull() : this.#putIn()));
    $("robot").addEventListener("click", () => this.#write());
    chat.addEventListener("change", () => this.#show());
    chat.plugIn(this.#ways());
  }

  // A radio button keeps its state when a page is loaded again, in some browsers.
  #ways() {
    const { value } = document.querySelector('input[name="way"]:checked');
    return value ? [value] : [];
  }

  #change() {
    if (this.#chat.hub) this.#chat.plugIn(this.#ways());
  }

  #pull() {
    this.#backAt = Date.now() + outFor;
    this.#count();
    this.#chat.pullOut();
  }

  #putIn() {
    clearTimeout(this.#tick);
    this.#chat.plugIn(this.#ways());
  }

  #count() {
    const left = Math.ceil((this.#backAt - Date.now()) / 1000);
    if (left <= 0) return this.#putIn();
    this.#status.unplugged = `unplugged, ${left} s`;
    this.#status.show();
    this.#tick = setTimeout(() => this.#count(), 250);
  }

  #show() {
    const { hub, counts } = this.#chat;
    for (const [name, n] of Object.entries(counts)) $(`count-${name}`).textContent = n;
    $("plug").textContent = hub ? `Pull the plug for ${outFor / 1000} s` : "Put it in again";
    $("drop").disabled = !hub;
    $("here-note").hidden = !this.#chat.online || hub.transport === "websocket";
  }

  // The robot has a connection of its own, which is a request for each message.
  async #write() {
    this.#robot ??= new Hub("hub", { token: "robot.Robot", transports: ["poll"] });
    const channel = "room:" + this.#current();
    const writes = Array.from({ length: robotWrites }, () => this.#robot.publish(channel, { text: String(++this.#number) }));
    const failed = (await Promise.allSettled(writes)).find(({ status }) => status === "rejected");
    $("plug-hint").textContent = failed ? failed.reason.message : "";
  }
}
