"use strict";
// The labels are in the browser's storage, one item per label: a larger sheet of the same run shows them too.
const data = JSON.parse(document.getElementById("data").textContent);
const replies = data.replies;
const VERDICTS = [["1", "yes", "y"], ["0", "no", "n"]];
const SHARES = [["1", "all", "y"], ["0.75", "¾", "3"], ["0.5", "half", "2"], ["0.25", "¼", "1"], ["0", "none", "n"]];
const PREFIX = "raft_exp label ";
const labels = new Map(Object.entries(data.labels));
let place = 0, current = 0;

const element = (name) => document.getElementById(name);
const key = (reply, task) => `${reply.name} ${task.name}`;
const choices = (task) => (task.claims ? SHARES : VERDICTS);
const labelled = (reply) => reply.tasks.every((task) => labels.has(key(reply, task)));

function warn(text) { element("warning").textContent = text; }

function load() {
  try {
    for (const reply of replies)
      for (const task of reply.tasks) {
        const stored = localStorage.getItem(PREFIX + key(reply, task));
        if (stored === "") labels.delete(key(reply, task));
        else if (stored !== null) labels.set(key(reply, task), stored);
      }
  } catch {
    warn("This browser does not store labels for a local file. Download them before you close the page.");
  }
}

function store(name, value) {
  if (value === null) labels.delete(name);
  else labels.set(name, value);
  try { localStorage.setItem(PREFIX + name, value ?? ""); }
  catch { warn("A label could not be stored in this browser. Download the labels before you close the page."); }
}

function made(tag, text, kind) {
  const one = document.createElement(tag);
  if (text) one.textContent = text;
  if (kind) one.className = kind;
  return one;
}

function section(heading, texts, kind) {
  const parts = texts.filter((text) => text);
  return parts.length ? [made("h2", heading), ...parts.map((text) => made("p", text, `text ${kind ?? ""}`))] : [];
}

function passages(reply) {
  if (!reply.passages.length) return [];
  const box = made("details");
  box.open = reply.tasks.some((task) => task.claims);
  box.append(made("summary", `${reply.passages.length} passage${reply.passages.length === 1 ? "" : "s"} that the writer of the reply had`));
  reply.passages.forEach((passage, number) => {
    const one = made("div", "", "passage");
    const heading = [`[${number + 1}]`, passage.title, passage.place].filter((text) => text).join(" ");
    one.append(made("strong", heading), made("p", passage.text, "text"));
    box.append(one);
  });
  return [box];
}

function taskBox(reply, task, number) {
  const box = made("div", "", number === current ? "task current" : "task");
  const row = made("div", "", "choices");
  for (const [value, text, letter] of choices(task)) {
    const button = made("button", `${text} `);
    button.type = "button";
    button.append(made("kbd", letter));
    button.setAttribute("aria-pressed", String(Number(labels.get(key(reply, task)) ?? NaN) === Number(value)));
    button.addEventListener("click", () => choose(number, value));
    row.append(button);
  }
  const value = labels.get(key(reply, task));
  if (value !== undefined && !choices(task).some(([known]) => Number(known) === Number(value)))
    row.append(made("span", `label: ${value}`));
  box.append(made("div", task.question), row);
  return box;
}

function show() {
  const reply = replies[place];
  const main = element("reply");
  main.replaceChildren();
  if (reply) {
    const short = reply.answer && reply.answer !== reply.reply ? [reply.answer] : [];
    main.append(
      ...section("Question", [reply.question]),
      ...section("References", reply.references),
      ...section("Long answer of the data set", [reply.explanation]),
      ...section("Reply", [reply.reply || "(empty)"], "reply"),
      ...section("Answer in the reply", short, "reply"),
      ...reply.tasks.map((task, number) => taskBox(reply, task, number)),
      ...passages(reply),
    );
    history.replaceState(null, "", `#${place + 1}`);
  }
  const done = replies.filter(labelled).length;
  element("progress").textContent = `reply ${place + 1} of ${replies.length}; ${done} labelled`;
  element("bar").value = replies.length ? done / replies.length : 1;
  element("previous").disabled = place === 0;
  element("next").disabled = place >= replies.length - 1;
  element("unlabelled").disabled = done === replies.length;
}

function go(to) {
  place = Math.max(0, Math.min(replies.length - 1, to));
  const missing = replies[place]?.tasks.findIndex((task) => !labels.has(key(replies[place], task))) ?? 0;
  current = Math.max(0, missing);
  show();
  window.scrollTo(0, 0);
}

function unlabelled() {
  const order = [...replies.keys()].map((number) => (place + 1 + number) % replies.length);
  const found = order.find((number) => !labelled(replies[number]));
  if (found !== undefined) go(found);
}

function choose(number, value) {
  const reply = replies[place];
  store(key(reply, reply.tasks[number]), value);
  const missing = reply.tasks.findIndex((task) => !labels.has(key(reply, task)));
  if (missing < 0 && place < replies.length - 1) go(place + 1);
  else {
    current = missing < 0 ? number : missing;
    show();
  }
}

function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function download() {
  const rows = [["label_id", "id", "task", "label"]];
  for (const reply of replies)
    for (const task of reply.tasks) rows.push([reply.name, reply.id, task.name, labels.get(key(reply, task)) ?? ""]);
  const text = "\ufeff" + rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "labels.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const KEYS = {
  ArrowLeft: () => go(place - 1),
  ArrowRight: () => go(place + 1),
  ArrowUp: () => { current = Math.max(0, current - 1); show(); },
  ArrowDown: () => { current = Math.min(replies[place].tasks.length - 1, current + 1); show(); },
  u: () => { store(key(replies[place], replies[place].tasks[current]), null); show(); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !replies.length) return;
  const choice = choices(replies[place].tasks[current]).find(([, , letter]) => letter === event.key);
  const action = choice ? () => choose(current, choice[0]) : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
element("previous").addEventListener("click", () => go(place - 1));
element("next").addEventListener("click", () => go(place + 1));
element("unlabelled").addEventListener("click", unlabelled);
element("download").addEventListener("click", download);

load();
const asked = Number(location.hash.slice(1));
if (asked >= 1) go(asked - 1);
else if (replies.length && labelled(replies[0])) { unlabelled(); show(); }
else go(0);
