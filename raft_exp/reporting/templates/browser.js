"use strict";
(() => {
  const data = JSON.parse(document.getElementById("examples-data").textContent);
  const root = document.getElementById("browser");
  const PAGE = 10;

  // Texts go in as text nodes only: what documents and models wrote never becomes an element.
  function make(tag, options, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options || {})) {
      if (name === "class") node.className = value;
      else if (name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== ""));
    return node;
  }

  // How judge and metric may differ on a reply: in the address, in the form, and as a condition.
  const JUDGED = {
    over: ["right, metric wrong", (reply) => reply.judged === true && !reply.right],
    under: ["wrong, metric right", (reply) => reply.judged === false && reply.right],
    agrees: ["agrees with the metric", (reply) => reply.judged === reply.right],
    missing: ["no judgement", (reply) => reply.judged === null],
  };

  // The choice is the part of the address after "#": right=ARM, wrong=ARM, judge=KIND, of=ARM (whose reply the judge
  // judged), slice=NAME:VALUE, q=WORDS, page, passages=1
  function fromAddress() {
    const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    const known = (name) => given.getAll(name).filter((arm) => data.arms.includes(arm));
    return {
      right: known("right"), wrong: known("wrong"), judge: given.get("judge") in JUDGED ? given.get("judge") : "",
      of: known("of")[0] || "", slice: given.get("slice") || "", q: given.get("q") || "",
      page: Math.max(1, parseInt(given.get("page"), 10) || 1), passages: given.get("passages") === "1",
    };
  }

  function toAddress(choice) {
    const told = new URLSearchParams();
    for (const arm of choice.right) told.append("right", arm);
    for (const arm of choice.wrong) told.append("wrong", arm);
    if (choice.judge) told.set("judge", choice.judge);
    if (choice.of) told.set("of", choice.of);
    if (choice.slice) told.set("slice", choice.slice);
    if (choice.q) told.set("q", choice.q);
    if (choice.page > 1) told.set("page", choice.page);
    if (choice.passages) told.set("passages", "1");
    const text = told.toString();
    history.replaceState(null, "", text ? "#" + text : "#examples");
  }

  const joined = (parts) => parts.map(([text]) => text).join("");
  const texts = data.items.map((item) => [
    item.id, item.question, ...item.answers,
    ...item.context.flatMap((passage) => [passage.title, joined(passage.parts)]),
    ...item.replies.map((reply) => joined(reply.raw)),
    ...item.replies.flatMap((reply) => reply.judge.map((said) => said.words)),
  ].join("\n").toLowerCase());

  function hits(choice) {
    const words = choice.q.toLowerCase().split(/\s+/).filter(Boolean);
    const is = (item, arms, wanted) => arms.every((arm) => item.replies[data.arms.indexOf(arm)].right === wanted);
    const judged = (item) => item.replies.some((reply, place) =>
      (!choice.of || data.arms[place] === choice.of) && JUDGED[choice.judge][1](reply));
    return data.items.filter((item, place) =>
      is(item, choice.right, true) && is(item, choice.wrong, false) &&
      (!choice.judge || judged(item)) &&
      (!choice.slice || slicesOf(item).includes(choice.slice)) &&
      words.every((word) => texts[place].includes(word)));
  }

  const worded = (slice) => slice.replace(":", ": ");
  const slicesOf = (item) => Object.entries(item.slices).map(([name, value]) => name + ":" + value);

  function pieces(parts) {
    return parts.map(([text, kind]) => kind ? make(kind === "marker" ? "i" : "mark", { class: kind }, text) : text);
  }

  function replyOf(arm, reply) {
    const text = joined(reply.raw).trim();
    const shownOnce = text && reply.prediction.trim() === text;  // the whole reply is the answer
    const values = Object.entries(reply.values).map(([name, value]) => name + " " + value).join(", ");
    return make("section", { class: "reply " + (reply.right ? "right" : "wrong") },
      make("h4", {}, arm, " ", make("span", { class: "judged" }, reply.right ? "✓ right" : "✗ wrong")),
      shownOnce ? null : make("p", { class: "prediction" },
        reply.prediction || (text ? "no answer in the requested form" : "no reply")),
      reply.lenient ? make("p", { class: "lenient" }, "answer in any form: " + reply.lenient) : null,
      make("p", { class: "raw" }, ...pieces(reply.raw), reply.cut ? make("small", {}, " (shortened)") : ""),
      make("p", { class: "soft" }, [values, ...reply.notes, reply.shown ? "" : "no passages in the prompt"].filter(Boolean).join(" · ")),
      judgeOf(reply), claimsOf(reply));
  }

  // 1 and 0 as a mark; a share of claims as a percentage
  const shareOf = (value) => value === 1 ? "✓" : value === 0 ? "✗" : Math.round(100 * value) + "%";

  function judgeOf(reply) {
    if (!reply.judge.length) return null;
    return make("ul", { class: "judge" }, ...reply.judge.map((said) => make("li", {},
      make("b", {}, "judge, " + said.task + (said.value === null ? ": " : " " + shareOf(said.value) + " ")),
      said.value === null ? "no judgement (" + said.words + ")" : said.words)));
  }

  function claimsOf(reply) {
    const claims = reply.claims, more = claims.number - claims.shown.length;
    if (!claims.number) return null;
    return make("details", { class: "claims" },
      make("summary", {}, claims.supported + " of " + claims.number + " claims supported by the cited passages"),
      make("ul", {}, ...claims.shown.map((claim) => make("li", {},
        make("b", { class: claim.supported ? "held" : "unheld" }, claim.supported ? "✓ " : "✗ "), claim.text,
        make("small", { class: "soft" }, claim.cited.length ? " cites " + claim.cited.map(
          (number) => number + (claim.supporting.includes(number) ? " ✓" : "")).join(", ") : " cites none"))),
        more ? make("li", {}, make("small", {}, more + " more, in predictions/")) : ""));
  }

  function passagesOf(item, open) {
    if (!item.context.length) return "";
    const gold = item.context.map((passage, place) => passage.gold ? place + 1 : 0).filter(Boolean);
    const told = item.context.length + (item.context.length === 1 ? " passage" : " passages") +
      (gold.length ? ", gold: " + gold.join(", ") : ", none is gold");
    return make("details", { open },
      make("summary", {}, told),
      make("ol", {}, ...item.context.map((passage) => make("li", { class: passage.gold ? "gold" : "" },
        passage.gold ? make("b", { class: "tag" }, "gold") : "",
        make("b", {}, [passage.title, passage.place].filter(Boolean).join(", ")),
        make("div", {}, ...pieces(passage.parts), passage.cut ? make("small", {}, " (shortened)") : "")))));
  }

  function exampleOf(item, open) {
    return make("article", { class: "example" },
      make("h3", {}, item.question),
      make("p", { class: "soft" }, make("b", {}, item.answers.join(" | ")), " · ", [item.id, ...slicesOf(item).map(worded)].join(" · ")),
      make("div", { class: "replies" }, ...item.replies.map((reply, place) => replyOf(data.arms[place], reply))),
      passagesOf(item, open));
  }

  function armChoice(arm, choice) {
    const value = choice.right.includes(arm) ? "right" : choice.wrong.includes(arm) ? "wrong" : "";
    const select = make("select", {}, ...[["", "any"], ["right", "right"], ["wrong", "wrong"]].map(
      ([key, text]) => make("option", { value: key, selected: key === value }, text)));
    select.addEventListener("change", () => {
      for (const side of ["right", "wrong"]) {
        choice[side] = choice[side].filter((name) => name !== arm);
        if (select.value === side) choice[side].push(arm);
      }
      changed(choice);
    });
    return make("label", {}, arm, " ", select);
  }

  function sliceChoice(choice) {
    const known = [...new Set(data.items.flatMap(slicesOf))].sort();
    if (!known.length) return "";
    const select = make("select", {}, make("option", { value: "" }, "all"), ...known.map(
      (name) => make("option", { value: name, selected: name === choice.slice }, name.replace(":", ": "))));
    select.addEventListener("change", () => { choice.slice = select.value; changed(choice); });
    return make("label", {}, "kind ", select);
  }

  function judgeChoice(choice) {
    if (!data.judge.length) return "";
    const kinds = [["", "any"], ...Object.entries(JUDGED).map(([kind, [text]]) => [kind, text])];
    const arms = [["", "of any arm"], ...data.judge.map((one) => [one.arm, "of " + one.arm])];
    const selects = [["judge", kinds], ["of", arms]].map(([key, options]) => {
      const select = make("select", key === "of" ? { ariaLabel: "arm of the judged reply" } : {}, ...options.map(
        ([value, text]) => make("option", { value, selected: value === choice[key] }, text)));
      select.addEventListener("change", () => { choice[key] = select.value; changed(choice); });
      return select;
    });
    return make("span", {}, make("label", {}, "judge ", selects[0]), " ", selects[1]);
  }

  function controls(choice) {
    const search = make("input", { type: "search", value: choice.q, placeholder: "words in question, passages, replies" + (data.judge.length ? ", judge" : "") });
    search.addEventListener("input", () => { choice.q = search.value; changed(choice); });
    const passages = make("input", { type: "checkbox", checked: choice.passages });
    passages.addEventListener("change", () => { choice.passages = passages.checked; changed(choice, choice.page); });
    const clear = make("button", { type: "button" }, "clear");
    clear.addEventListener("click", () => {
      Object.assign(choice, { right: [], wrong: [], judge: "", of: "", slice: "", q: "" });
      changed(choice);
      draw(choice);
    });
    return make("form", { class: "controls" },
      ...data.arms.map((arm) => armChoice(arm, choice)), judgeChoice(choice), sliceChoice(choice),
      make("label", { class: "search" }, "search ", search), make("label", {}, passages, " show passages"), clear);
  }

  function pager(choice, last) {
    if (last < 2) return "";
    const button = (text, page) => {
      const node = make("button", { type: "button", disabled: page < 1 || page > last }, text);
      node.addEventListener("click", () => { changed(choice, page); root.scrollIntoView(); });
      return node;
    };
    return make("p", { class: "pager" }, button("‹ back", choice.page - 1),
      " page " + choice.page + " of " + last + " ", button("next ›", choice.page + 1));
  }

  function list(choice) {
    const found = hits(choice);
    const last = Math.max(1, Math.ceil(found.length / PAGE));
    choice.page = Math.min(choice.page, last);
    const shown = found.slice((choice.page - 1) * PAGE, choice.page * PAGE);
    const status = make("p", { class: "status", role: "status" },
      found.length + (found.length === 1 ? " example" : " examples") + " of " + data.items.length);
    return [status, ...shown.map((item) => exampleOf(item, choice.passages)), pager(choice, last)];
  }

  const place = make("div", { id: "found" });
  function changed(choice, page = 1) {
    choice.page = page;
    place.replaceChildren(...list(choice).filter(Boolean));
    toAddress(choice);
  }

  function draw(choice) {
    place.replaceChildren(...list(choice).filter(Boolean));
    const form = controls(choice);
    form.addEventListener("submit", (event) => event.preventDefault());
    root.replaceChildren(form, place);
    root.hidden = false;
  }

  draw(fromAddress());
  if (location.hash.includes("=")) root.scrollIntoView();
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    draw(fromAddress());
    root.scrollIntoView();
  });
})();
