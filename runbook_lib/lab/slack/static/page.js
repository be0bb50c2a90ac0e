// Polls the lab and redraws what changed.
import { renderThread } from "./blocks.js";
import { node } from "./mrkdwn.js";
import { renderPipeline } from "./pipeline.js";

const $ = (id) => document.getElementById(id);
const opened = new Map();
const drafts = {};
const shown = {};

function remember(details, key, initially) {
  details.querySelector("summary").id = key;
  details.open = opened.has(key) ? opened.get(key) : initially;
  details.addEventListener("toggle", () => opened.set(key, details.open));
  return details;
}

// What is drawn anew keeps the place of whoever works by keys, or types.
function redraw(place, ...children) {
  const active = place.contains(document.activeElement) ? document.activeElement : {};
  const { id, selectionStart, selectionEnd } = active;
  place.replaceChildren(...children);
  const again = id && id !== place.id && document.getElementById(id);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (typeof selectionStart === "number") again.setSelectionRange(selectionStart, selectionEnd);
}

async function send(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const content = await answer.json().catch(() => ({}));
  return answer.ok ? "" : content.error || content.detail || `The lab answered ${answer.status}.`;
}

function changed(name, value) {
  const text = JSON.stringify(value);
  if (shown[name] === text) return false;
  shown[name] = text;
  return true;
}

function drawMessages(view) {
  if (!changed("messages", [view.messages, view.users])) return;
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const context = { users: view.users, remember };
  redraw(list, ...view.messages.flatMap((message) => renderThread(message, context)));
  if (!view.messages.length) list.append(node("p", "empty", "No message yet. Start a run, and its thread appears here."));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawPipelines(view) {
  if (!changed("pipelines", [view.pipelines, view.pipelines_error])) return;
  const context = { approver: view.approver, drafts, decide: async (answer) => { const wrong = await send("/lab/approve", answer); refresh(); return wrong; } };
  const newest = [...view.pipelines].sort((one, other) => other.id - one.id);
  redraw($("pipelines"), ...newest.map((pipeline) => renderPipeline(pipeline, context)));
  if (!newest.length) $("pipelines").append(node("p", "empty", view.pipelines_error || "No pipeline yet."));
}

function drawSidebar(view) {
  if (!changed("sidebar", [view.channel, view.channels, view.users])) return;
  $("channel").textContent = view.channel.name;
  document.title = `#${view.channel.name} · Runbook lab`;
  $("channels").replaceChildren(...view.channels.map((name) => node("li", name === view.channel.name ? "here" : "", `# ${name}`)));
  $("people").replaceChildren(...Object.values(view.users).map((user) => {
    const line = node("li", "", node("span", "dot"), user.real_name);
    if (user.name === view.approver) line.append(node("small", "", "approver"));
    return line;
  }));
}

async function refresh() {
  try {
    const answer = await fetch("/lab/slack/view");
    const view = await answer.json();
    drawSidebar(view);
    drawMessages(view);
    drawPipelines(view);
    $("connection").textContent = "";
  } catch {
    $("connection").textContent = "The lab does not answer";
  }
}

await refresh();
setInterval(refresh, 1500);
