// Reads a JSON object of charts from standard input, parses each with Mermaid itself, and writes what it understood:
// {"name": {"error": …} | {"nodes": {id: label}, "clusters": {id: [label, [inner ids]]}, "edges": [[from, to, label]]}}
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/`);
const { JSDOM } = require("jsdom");
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const mermaid = (await import(pathToFileURL(`${process.argv[2]}/node_modules/mermaid/dist/mermaid.core.mjs`))).default;
mermaid.initialize({ maxEdges: 100000, maxTextSize: 10000000 });

const found = {};
for (const [name, text] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  try {
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    found[name] = {
      nodes: Object.fromEntries([...db.getVertices()].map(([id, node]) => [id, node.text])),
      clusters: Object.fromEntries(db.getSubGraphs().map((graph) => [graph.id, [graph.title, graph.nodes]])),
      edges: db.getEdges().map((edge) => [edge.start, edge.end, edge.text]),
    };
  } catch (error) {
    found[name] = { error: String(error.message) };
  }
}
process.stdout.write(JSON.stringify(found));
