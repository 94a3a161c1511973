// The sending side of bench/latency.ts, a process of its own: a Binance that knows the time and sends aggregated trades, each stamped
// with the moment it was written to the socket. Told over IPC how many to send a second, and for how long.
import { createServer } from "node:http";
import { performance } from "node:perf_hooks";
import { WebSocketServer } from "ws";

const MARKETS = 20;
const TICK_MS = 10;
const nowUs = () => Math.floor((performance.timeOrigin + performance.now()) * 1_000);

const server = createServer((request, response) => {
  const isTime = request.url.startsWith("/api/v3/time");
  response.writeHead(isTime ? 200 : 404, { "content-type": "application/json" });
  response.end(isTime ? JSON.stringify({ serverTime: Math.floor(nowUs() / 1_000) }) : "{}");
});
const sockets = new Set();
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("message", (data) =>
    socket.send(JSON.stringify({ result: null, id: JSON.parse(String(data)).id })),
  );
});
const ids = new Array(MARKETS).fill(1_000_000);
let turn = 0;

function send(socket) {
  const market = turn++ % MARKETS;
  const id = ++ids[market];
  const us = nowUs();
  socket.send(
    `{"stream":"m${market}usdt@aggTrade","data":{"e":"aggTrade","E":${us},"s":"M${market}USDT","a":${id},"p":"${100 + (id % 900)}.25","q":"0.${1 + (id % 98)}","f":${id},"l":${id},"T":${us},"m":${id % 2 === 0},"M":true}}`,
  );
}

process.on("message", ({ rate, seconds }) => {
  const startedMs = performance.now();
  const [socket] = sockets;
  let sent = 0;
  const timer = setInterval(() => {
    const elapsedMs = Math.min(performance.now() - startedMs, seconds * 1_000);
    const due = Math.floor((rate * elapsedMs) / 1_000);
    while (sent < due) {
      send(socket);
      sent++;
    }
    if (elapsedMs >= seconds * 1_000) {
      clearInterval(timer);
      process.send({ sent });
    }
  }, TICK_MS);
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port, markets: MARKETS }));
process.on("disconnect", () => process.exit(0));
