// Block Kit as DOM nodes.
import { mrkdwn, node, plain } from "./mrkdwn.js";

function text(object, users) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, users) : plain(object.text);
}

function button(element) {
  const style = ["button", element.style || ""].join(" ").trim();
  if (element.url) {
    const made = node("a", style, ...plain(element.text.text));
    if (/^https?:/.test(element.url)) made.href = element.url;
    made.target = "_blank";
    made.rel = "noopener noreferrer";
    return made;
  }
  // Nobody listens to a click: a button without an address is shown, and does nothing.
  const made = node("button", style, ...plain(element.text.text));
  made.type = "button";
  made.disabled = true;
  return made;
}

function image(element) {
  return node("span", "", `[${element.alt_text}]`);
}

const RENDER = {
  header: (block) => node("div", "block-header", ...plain(block.text.text)),
  divider: () => node("hr", "divider"),
  image: (block) => node("div", "section", image(block)),
  markdown: (block, context) => node("div", "section", ...mrkdwn(block.text, context.users)),
  actions: (block) => node("div", "actions", ...block.elements.map(button)),
  context: (block, context) => node("div", "context", ...block.elements.map((element) =>
    element.type === "image" ? image(element) : node("span", "", ...text(element, context.users)))),
  section: (block, context) => {
    const made = node("div", "section");
    if (block.text) made.append(node("div", "text", ...text(block.text, context.users)));
    if (block.fields) made.append(node("div", "fields", ...block.fields.map((field) => node("div", "", ...text(field, context.users)))));
    if (block.accessory?.type === "button") made.append(node("div", "actions", button(block.accessory)));
    return made;
  },
};

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function file(item, context) {
  const name = node("span", "name", item.title, node("small", "", `${item.name} · ${size(item.size)}`));
  const made = node("details", "file", node("summary", "", node("span", "icon", item.filetype.slice(0, 4)), name));
  const preview = node("pre", "", item.preview);
  preview.tabIndex = 0;
  made.append(preview);
  if (item.preview_is_truncated) {
    const more = node("a", "more", "Open the whole file");
    more.href = `/lab/slack/files/${encodeURIComponent(item.id)}`;
    more.target = "_blank";
    made.append(more);
  }
  return context.remember(made, `file-${item.id}`, false);
}

function clock(ts) {
  const when = new Date(Number(ts) * 1000);
  const made = node("time", "", when.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }));
  made.title = when.toLocaleString();
  return made;
}

function byline(message, context) {
  const user = context.users[message.user];
  const line = node("div", "by", node("strong", "", user?.real_name || "someone"));
  if (message.bot_id) line.append(node("span", "app", "APP"));
  line.append(clock(message.ts));
  if (message.subtype === "thread_broadcast") line.append(node("span", "also", "also sent to the channel"));
  return [line, (user?.real_name || "?").slice(0, 1)];
}

export function renderMessage(message, context) {
  const [line, initial] = byline(message, context);
  const body = node("div", "body", line);
  if (message.blocks?.length) {
    body.append(...message.blocks.map((block) => (RENDER[block.type] || (() => node("div", "context", `(${block.type})`)))(block, context)));
  } else if (message.text) {
    body.append(node("div", "text", ...mrkdwn(message.text, context.users)));
  }
  if (message.edited) body.append(node("span", "edited", "(edited)"));
  body.append(...(message.files || []).map((item) => file(item, context)));
  const avatar = node("span", "avatar", initial);
  avatar.setAttribute("aria-hidden", "true");
  const made = node("article", "message", avatar, body);
  made.id = `p${message.ts.replace(".", "")}`;
  return made;
}

export function renderThread(message, context) {
  const replies = message.replies || [];
  if (!replies.length) return [renderMessage(message, context)];
  const last = new Date(Number(replies.at(-1).ts) * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const count = `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`;
  const thread = node("details", "thread", node("summary", "", count, node("small", "", `Last reply at ${last}`)));
  thread.append(...replies.map((reply) => renderMessage(reply, context)));
  return [renderMessage(message, context), context.remember(thread, `thread-${message.ts}`, true)];
}
