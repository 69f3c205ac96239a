"use strict";

// Each request that is sent from here gets a card: its answer, with the time it took, and its
// tasks, as the stream at /events tells of them. The two are brought together by the request's
// ID, which we choose. All text is set as text, never as HTML.

const watch = document.getElementById("watch");
const mostCards = 20;
const byRequest = new Map(); // ours, by request ID
const byList = new Map(); // all whose tasks have been seen, by list and request
let token = "";

function element(tag, className, text) {
	const e = document.createElement(tag);
	if (className) e.className = className;
	if (text !== undefined) e.textContent = text;
	return e;
}

function milliseconds(ms) {
	return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

// arrival is when the last byte of an answer came in, by the browser's own record of it: by the
// time that a script is told, it may have been told of later events already.
function arrival(url, since) {
	const entry = performance.getEntriesByName(url, "resource").findLast((e) => e.startTime >= since && e.responseEnd > 0);
	performance.clearResourceTimings(); // they are kept in a buffer that can be full
	return entry?.responseEnd ?? performance.now();
}

class Card {
	constructor(title) {
		this.began = performance.now();
		this.rows = new Map(); // by the task's position
		this.root = element("article", "card");
		this.answer = element("p", "answer", "No answer yet");
		this.tasks = element("ol", "tasks");
		this.root.append(element("h3", "", title), this.answer, this.tasks);
		watch.querySelector(":scope > .hint")?.remove();
		watch.prepend(this.root);
		while (watch.children.length > mostCards) watch.lastElementChild.remove();
	}

	// since is the time since the click.
	since() { return performance.now() - this.began; }

	answered(url, status, ok, body) {
		const after = arrival(url, this.began) - this.began;
		this.root.dataset.answered = after;
		this.answer.dataset.state = ok ? "good" : "bad";
		this.say(`Answered after ${milliseconds(after)}: ${status}`);
		this.answer.after(element("code", "body", body));
	}

	unanswered(reason) {
		this.answer.dataset.state = "bad";
		this.say(`No answer: ${reason}`);
	}

	say(text) {
		this.answer.textContent = text;
		document.getElementById("news").textContent = text;
	}

	link(href, text) {
		const a = element("a", "", text);
		a.href = href;
		this.answer.append(" ", a);
	}

	row(position, name) {
		let row = this.rows.get(position);
		if (!row) {
			row = element("li");
			row.append(element("span", "name", name), element("span", "state"), element("span", "times"));
			this.rows.set(position, row);
			this.tasks.append(row);
		}
		return row;
	}

	// shows what a task has come to, with the reason if there is one.
	shows(row, state, times, reason) {
		row.dataset.state = state;
		row.querySelector(".state").textContent = state;
		if (times) row.querySelector(".times").textContent = times;
		row.querySelector(".reason")?.remove();
		if (reason) row.append(element("span", "reason", reason));
	}

	take(event) {
		const row = this.row(event.position, event.task);
		const now = this.since();
		switch (event.kind) {
		case "accepted":
			this.shows(row, "pending");
			break;
		case "started":
			row.dataset.started = now;
			this.shows(row, "running", `began after ${milliseconds(now)}`);
			break;
		case "retried":
			this.shows(row, "retrying", `attempt ${event.attempt} failed, the next in ${milliseconds(event.wait_ms)}`, event.error);
			break;
		case "finished":
			row.dataset.ended = now;
			this.shows(row, event.error ? "failed" : "succeeded",
				`ended after ${milliseconds(now)}, took ${milliseconds(event.elapsed_ms)}` +
				(event.attempt > 1 ? `, in ${event.attempt} attempts` : ""), event.error);
			if (event.error) document.getElementById("news").textContent = `${event.task} failed: ${event.error}`;
			break;
		default: // refused, skipped, forgotten, unfinished
			row.dataset.ended = now;
			this.shows(row, event.kind, "", event.error);
		}
	}

	// catchesUp reads from an order's record what the stream has not told.
	async catchesUp() {
		if (!this.order || !this.root.isConnected) return;
		const res = await fetch(`/orders/${this.order}`);
		if (!res.ok) return;
		(await res.json()).steps.forEach((step, i) => this.shows(this.row(i + 1, step.name), step.state, "", step.error));
	}
}

// cardOf finds the card of an event, or makes one for a request that came from elsewhere.
function cardOf(event) {
	const list = `${event.list} ${event.request_id}`; // a program that is started again counts its lists anew
	let card = byList.get(list) ?? byRequest.get(event.request_id);
	if (!card) {
		card = new Card(`${event.method} ${event.route}`);
		card.answer.textContent = "Sent from elsewhere";
	}
	byRequest.delete(event.request_id);
	byList.set(list, card);
	if (byList.size > 10 * mostCards) byList.delete(byList.keys().next().value);
	return card;
}

// The body of a form's request, by data-kind; JSON of its fields where there is none.
const bodies = {
	order: (f) => JSON.stringify({
		customer_id: f.customer_id.value,
		email: f.email.value,
		items: [{ id: f.ordered.value, quantity: Number(f.quantity.value) }],
	}),
	report: (f) => JSON.stringify({ type: "sales", filters: { days: Number(f.days.value) } }),
	csv: (f) => f.csv.value,
};

function fields(form, used) {
	const all = {};
	for (const input of form.elements) {
		if (input.name && !used.has(input.name)) all[input.name] = input.type === "number" ? Number(input.value) : input.value;
	}
	return JSON.stringify(all);
}

// requestOf is what a form, or one of its buttons, asks for.
function requestOf(form, button) {
	const about = { ...form.dataset, ...button?.dataset };
	const used = new Set();
	const path = about.path.replace(/\{(\w+)\}/g, (_, name) => {
		used.add(name);
		return encodeURIComponent(form.elements[name].value);
	});
	const headers = { "Content-Type": about.kind === "csv" ? "text/csv" : "application/json" };
	let body = bodies[about.kind]?.(form.elements) ?? fields(form, used);
	if (about.kind === "upload") {
		body = new FormData(form);
		delete headers["Content-Type"]; // the browser says it, with the boundary
	}
	if (about.method === "GET" || about.method === "DELETE") {
		body = undefined;
		delete headers["Content-Type"];
	}
	const fault = form.elements.fault?.value;
	if (fault && !form.elements.step.matches(":disabled")) headers["X-Fault"] = `${form.elements.step.value}=${fault}`;
	if (token) headers.Authorization = `Bearer ${token}`;
	return { title: about.title, path, method: about.method, headers, body };
}

async function send(form, button) {
	const request = requestOf(form, button);
	const id = `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
	request.headers["X-Request-Id"] = id;
	const card = new Card(request.title);
	byRequest.set(id, card);
	try {
		const res = await fetch(request.path, request);
		const text = await res.text();
		await new Promise((done) => setTimeout(done)); // for the browser to write it down
		card.answered(res.url, `${res.status} ${res.statusText}`, res.ok, readable(text));
		follow(card, text);
	} catch (err) {
		card.unanswered(err.message);
	}
	refresh(); // deleted and refused things have no task that would tell
}

// follow takes out of an answer what can be looked at later.
function follow(card, text) {
	let answer = {};
	try { answer = JSON.parse(text); } catch { return; }
	if (answer.access_token) token = answer.access_token;
	if (answer.order_id) card.order = answer.order_id;
	for (const [key, path, name] of [["order_id", "orders", "order"], ["image_id", "images", "image"], ["report_id", "reports", "report"]]) {
		if (answer[key] && answer.status !== "ready") card.link(`/${path}/${answer[key]}`, `${name} ${answer[key]}`);
	}
}

// readable is an answer's text, without the token: people show each other their screens.
function readable(text) {
	return text.trim().slice(0, 1000).replace(/("access_token":\s*")[^"]*/, "$1…");
}

// refresh fetches the list of orders, reports and uploads, which is rendered, and escaped, by
// the server; once at a time.
let refreshing = false, again = false;
async function refresh() {
	again = true;
	if (refreshing) return;
	refreshing = true;
	while (again) {
		again = false;
		try {
			const res = await fetch("/recent");
			if (res.ok) {
				const doc = new DOMParser().parseFromString(await res.text(), "text/html");
				document.getElementById("recent").replaceChildren(...doc.body.childNodes);
			}
		} catch { /* the stream says that there is no connection */ }
		await new Promise((done) => setTimeout(done, 250));
	}
	refreshing = false;
}

function listen() {
	const status = document.getElementById("stream");
	const stream = new EventSource("/events");
	stream.addEventListener("open", () => {
		status.textContent = "Live: what happens to tasks is shown as it happens.";
		refresh();
		for (const card of new Set([...byRequest.values(), ...byList.values()])) card.catchesUp(); // on what was missed
	});
	stream.addEventListener("task", (message) => {
		const event = JSON.parse(message.data);
		cardOf(event).take(event);
		if (event.kind !== "accepted") refresh();
	});
	stream.addEventListener("shutdown", () => {
		status.textContent = "The program is shutting down: its tasks run to their end, but this page sees no more of them.";
	});
	stream.addEventListener("error", () => {
		if (!status.textContent.startsWith("The program")) status.textContent = "No connection. Trying again…";
	});
}

document.addEventListener("submit", (event) => {
	event.preventDefault();
	send(event.target, event.submitter);
});
listen();
