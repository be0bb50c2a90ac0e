// Slack's mrkdwn as DOM nodes. Text only ever enters the page as text nodes, so nothing in it can become markup.

// The lab must look the same on a machine without a colour emoji font: the signs that messages use are drawn in CSS.
const GLYPHS = {
  white_check_mark: ["✓", "good"], heavy_check_mark: ["✓", "good"], x: ["✕", "bad"], no_entry: ["–", "bad round"],
  octagonal_sign: ["■", "bad round"], rotating_light: ["!", "bad round"], warning: ["!", "warn"],
  hourglass_flowing_sand: ["…", "info round"], arrow_forward: ["▶", "info"], white_circle: ["", "empty round"],
  fast_forward: ["»", ""], lock: ["lock", "warn drawn"], unlock: ["unlock", "bad drawn"], globe_with_meridians: ["globe", "info drawn"],
  question: ["?", "warn"], information_source: ["i", "info"], zap: ["!", "warn"], large_green_circle: ["", "good round"],
  red_circle: ["", "bad round"], large_yellow_circle: ["", "warn round"], large_blue_circle: ["", "info round"],
  heavy_plus_sign: ["+", "good"], heavy_minus_sign: ["−", "bad"], pencil2: ["~", "warn"], stopwatch: ["clock", "info drawn"],
  page_facing_up: ["≡", "info"], busts_in_silhouette: ["people", "info drawn"],
};

export const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function node(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const DRAWINGS = {
  lock: "M4 7h8v6H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  unlock: "M4 7h8v6H4zM5.5 7V4.5a2.5 2.5 0 0 1 4.8-.8",
  globe: "M2.5 8a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0M2.5 8h11M8 2.5c-3 3.5-3 7.5 0 11c3-3.5 3-7.5 0-11",
  people: "M8 3.200a2.3 2.3 0 1 0 .01 0M3.5 13.500c0-5.5 9-5.5 9 0z",
  clock: "M2.5 8a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0M8 4.500V8l2.5 1.5",
};

function drawing(name) {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("viewBox", "0 0 16 16");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", DRAWINGS[name]);
  made.append(path);
  return made;
}

function emoji(name) {
  const glyph = GLYPHS[name];
  if (!glyph) return document.createTextNode(`:${name}:`);
  const made = node("span", `glyph ${glyph[1]}`, DRAWINGS[glyph[0]] ? drawing(glyph[0]) : glyph[0]);
  made.title = `:${name}:`;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", name.replace(/_/g, " "));
  return made;
}

export function plain(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).map((part) =>
    /^:[a-z0-9_+-]+:$/.test(part) ? emoji(part.slice(1, -1)) : document.createTextNode(unescape(part)));
}

function date(body, fallback) {
  const [, seconds, format] = body.split("^");
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(unescape(fallback || body));
  const day = when.toLocaleDateString(undefined, { month: "short", day: "numeric", year: "numeric" });
  const time = when.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const words = unescape(format).replace(/\{date[a-z_]*\}/g, day).replace(/\{time(_secs)?\}/g, time);
  const made = node("time", "", words);
  made.dateTime = when.toISOString();
  return made;
}

function link(address, label) {
  const made = node("a", "", ...(label ? plain(label) : [unescape(address)]));
  const target = unescape(address);
  if (!/^(https?:|mailto:)/.test(target)) return document.createTextNode(unescape(label || address));
  made.href = target;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function reference(body, users) {
  const bar = body.indexOf("|");
  const [head, label] = bar < 0 ? [body, ""] : [body.slice(0, bar), body.slice(bar + 1)];
  if (head.startsWith("!date^")) return date(head, label);
  if (head.startsWith("!")) return node("span", "mention", `@${unescape(label || head.slice(1))}`);
  if (head.startsWith("@")) return node("span", "mention", `@${users[head.slice(1)]?.name || head.slice(1)}`);
  if (head.startsWith("#")) return node("span", "mention", `#${unescape(label || head.slice(1))}`);
  return link(head, label);
}

const STYLES = { "*": "strong", _: "em", "~": "del" };
const TOKENS = /(`[^`\n]+`)|<([^<>\n]+)>|(?<![\w*_~])([*_~])(?=\S)([^\n]*?\S)\3(?![\w*_~])|(:[a-z0-9_+-]+:)/g;

function line(text, users) {
  const out = [];
  let from = 0;
  for (const found of text.matchAll(TOKENS)) {
    if (found.index > from) out.push(document.createTextNode(unescape(text.slice(from, found.index))));
    const [whole, code, body, style, inner, sign] = found;
    if (code) out.push(node("code", "", unescape(code.slice(1, -1))));
    else if (body) out.push(reference(body, users));
    else if (style) out.push(node(STYLES[style], "", ...line(inner, users)));
    else out.push(emoji(sign.slice(1, -1)));
    from = found.index + whole.length;
  }
  if (from < text.length) out.push(document.createTextNode(unescape(text.slice(from))));
  return out;
}

function lines(text, users) {
  const out = [];
  let quote = null;
  for (const raw of text.split("\n")) {
    const quoted = raw.match(/^(?:>|&gt;)\s?(.*)$/s);
    if (quoted) {
      if (!quote) out.push((quote = node("blockquote")));
      quote.append(...line(quoted[1], users), node("br"));
    } else {
      if (!quote && out.length) out.push(node("br"));
      out.push(...line(raw, users));
      quote = null;
    }
  }
  return out;
}

export function mrkdwn(text, users) {
  return text.split(/```/).flatMap((part, number) =>
    number % 2 ? [node("pre", "", unescape(part.replace(/^\n/, "")))] : part ? lines(part.replace(/^\n|\n$/g, ""), users) : []);
}
