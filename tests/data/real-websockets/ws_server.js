// ws for Node: ws_server.js PORT [CERTIFICATE KEY]; see README.md.

const fs = require("fs");
const http = require("http");
const https = require("https");

// Debian's packages, which a Node from elsewhere does not look for.
module.paths.push("/usr/share/nodejs");
const { WebSocketServer } = require("ws");

const [port, certificate, key] = process.argv.slice(2);

function sendPieces(ws, count, piece) {
  for (let n = 0; n < count; n++) {
    ws.send(piece(n), { fin: n === count - 1 });
  }
}

function serve(ws, request) {
  const [what, ...parameters] = decodeURIComponent(request.url).slice(1).split("/");
  ws.on("message", (message, binary) => ws.send(message, { binary }));
  ws.on("error", () => {});
  ws.on("close", (code, reason) => fs.appendFileSync("closes", `${code} ${reason}\n`));
  if (what === "ping") {
    ws.once("pong", (payload) => ws.send(payload.toString()));
    ws.ping(parameters[0]);
  } else if (what === "close") {
    ws.close(Number(parameters[0]), parameters[1]);
  } else if (what === "pieces") {
    const [count, size] = parameters.map(Number);
    sendPieces(ws, count, (n) => String.fromCharCode(97 + (n % 26)).repeat(size));
    sendPieces(ws, count, (n) => Buffer.alloc(size, n % 256));
  }
}

const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
  : http.createServer();
const wss = new WebSocketServer({
  server,
  maxPayload: 0,
  // By itself it compresses nothing that is shorter than 1 KiB.
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => ["v2", "v1"].find((protocol) => offered.has(protocol)) ?? false,
});
wss.on("connection", serve);
server.listen(Number(port), "127.0.0.1", () => fs.writeFileSync("ready", ""));
