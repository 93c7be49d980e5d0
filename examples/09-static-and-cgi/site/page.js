const log = document.getElementById("log");
const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/echo`);
socket.onmessage = (e) => log.append(e.data + "\n");
document.getElementById("line").onchange = (e) => {
  socket.send(e.target.value);
  e.target.value = "";
};
