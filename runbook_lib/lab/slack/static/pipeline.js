// The pipeline's jobs, and the approver's answer to the manual one.
import { node } from "./mrkdwn.js";

const SIGNS = { success: "✓", failed: "✕", running: "▸", manual: "▶", pending: "…", skipped: "»", canceled: "–", created: "" };
const KNOWN = new Set(Object.keys(SIGNS));
const kind = (status) => (KNOWN.has(status) ? status : "created");
const person = (user) => (typeof user === "string" ? user : user?.username || "");

function job(item) {
  const made = node("div", "job", node("span", `badge ${kind(item.status)}`, SIGNS[kind(item.status)]), node("span", "", item.name));
  const words = { success: "", created: "", manual: "waits for approval" }[item.status] ?? item.status;
  const who = ["success", "failed", "running"].includes(item.status) ? person(item.user) : "";
  made.append(node("span", "who", [words, who].filter(Boolean).join(" · ")));
  made.title = `${item.stage}: ${item.status}`;
  return made;
}

function decide(item, context) {
  const made = node("div", "decide", node("p", "", `“${item.name}” waits for a decision. You answer as ${context.approver}, through GitLab's API.`));
  const reason = node("input");
  reason.id = `reason-${item.id}`;
  reason.placeholder = "Reason (for a rejection)";
  reason.setAttribute("aria-label", "Reason");
  reason.value = context.drafts[item.id] || "";
  reason.addEventListener("input", () => { context.drafts[item.id] = reason.value; });
  const note = node("div", "note bad");
  note.setAttribute("role", "alert");
  const press = (decision, label, style) => {
    const button = node("button", `button ${style}`, label);
    button.type = "button";
    button.id = `${decision}-${item.id}`;
    button.addEventListener("click", async () => {
      note.textContent = "";
      button.disabled = true;
      note.textContent = await context.decide({ job_id: item.id, decision, reason: decision === "reject" ? reason.value : "" });
      button.disabled = false;
    });
    return button;
  };
  made.append(reason, node("div", "row", press("approve", "Approve", "primary"), press("reject", "Reject", "danger")), note);
  return made;
}

export function renderPipeline(pipeline, context) {
  const head = node("header", "", node("h3", "", `#${pipeline.id}`, node("span", `pill ${kind(pipeline.status)}`, pipeline.status)));
  const about = [person(pipeline.user), pipeline.ref, (pipeline.sha || "").slice(0, 8)].filter(Boolean).join(" · ");
  head.append(node("div", "about", about));
  const made = node("article", "pipeline", head, ...pipeline.jobs.map(job));
  const waiting = pipeline.jobs.find((item) => item.status === "manual");
  if (waiting && context.approver) made.append(decide(waiting, context));
  return made;
}
