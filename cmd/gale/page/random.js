// randomToken returns 2n hexadecimal digits. crypto.randomUUID exists only on
// pages served over TLS or from this machine.
export function randomToken(n) {
  return Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => b.toString(16).padStart(2, "0")).join("");
}
