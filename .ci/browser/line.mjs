import net from "node:net";

// A line to the server that can be cut; while it is, connections are refused.
// It can also lose what goes in one direction, as a line does before it breaks.
export class Line {
  loses = ""; // "up" or "down"
  #sockets = new Set();
  #server = null;
  #target = "";
  #port = 0;

  constructor(url) {
    this.#target = new URL(url).port;
  }

  async open() {
    this.loses = "";
    this.#server = net.createServer((near) => {
      const far = net.connect(this.#target, "127.0.0.1");
      for (const [from, to, way] of [[near, far, "up"], [far, near, "down"]]) {
        this.#sockets.add(from);
        from.on("data", (data) => this.loses !== way && to.write(data));
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    await new Promise((done) => this.#server.listen(this.#port, "127.0.0.1", done));
    this.#port = this.#server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async cut() {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
