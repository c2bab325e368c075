/** The request as a command or a program that a reader can paste and run. A key is read from the environment, never written out. */

/** @import { SolveRequest } from "./types.js" */

/** @typedef {{name: string, code: string}} Snippet */

/**
 * @param {SolveRequest} request
 * @param {string} base address of the server, without a slash at the end
 * @param {boolean} keyed whether the server needs a key
 * @returns {Snippet[]}
 */
export function snippetsOf(request, base, keyed) {
  return [
    { name: "curl", code: curl(request, base, keyed) },
    { name: "Python", code: python(request, base, keyed) },
    { name: "OpenAI client", code: openai(request, base, keyed) },
  ];
}

/** @param {SolveRequest} request @param {string} base @param {boolean} keyed */
function curl(request, base, keyed) {
  const key = keyed ? ' -H "authorization: Bearer $EPF_KEY"' : "";
  return `curl -sf ${base}/solve -H "content-type: application/json"${key} \\\n  -d ${quoted(JSON.stringify(request))}\n`;
}

/** @param {SolveRequest} request @param {string} base @param {boolean} keyed */
function python(request, base, keyed) {
  const imports = keyed ? "import os\n\nimport httpx" : "import httpx";
  const headers = keyed ? ', headers={"authorization": f"Bearer {os.environ[\'EPF_KEY\']}"}' : "";
  return `${imports}

request = ${literal(request)}
response = httpx.post("${base}/solve", json=request${headers}, timeout=None)
response.raise_for_status()
result = response.json()
print(result["answer"], result["confidence"])
`;
}

/** @param {SolveRequest} request @param {string} base @param {boolean} keyed */
function openai(request, base, keyed) {
  const { problem, method = "epf", n_particles: n, seed, ...search } = request;
  const model = `${method.replaceAll("_", "-")}${n === undefined ? "" : `-${n}`}`;
  const more = [
    seed === undefined ? "" : `    seed=${seed},\n`,
    Object.keys(search).length > 0 ? `    extra_body={"search": ${literal(search)}},\n` : "",
  ].join("");
  return `${keyed ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key=${keyed ? 'os.environ["EPF_KEY"]' : '"none"'})
completion = client.chat.completions.create(
    model=${literal(model)},
    messages=[{"role": "user", "content": ${literal(problem)}}],
${more})
print(completion.choices[0].search["answer"], completion.choices[0].search["confidence"])
`;
}

/** @param {string} text @returns {string} one word of a POSIX shell */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {unknown} value as in JSON @returns {string} the same in Python */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, each]) => `${literal(name)}: ${literal(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
