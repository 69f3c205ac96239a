// Each request that is sent from here gets a card. The stream at /events tells of its tasks; the
// two are brought together by the request's ID, which we choose.

import { Card, mostCards } from "./card.js";
import { requestOf } from "./forms.js";

const byRequest = new Map(); // our cards, by request ID
const byList = new Map(); // all whose tasks have been seen, by list and request
let token = ""; // of the latest login

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

async function send(form, button) {
	const request = requestOf(form, button, token);
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
		if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // an answer that is no stream, of a proxy, say: it does not try again then
	});
}

document.addEventListener("submit", (event) => {
	event.preventDefault();
	send(event.target, event.submitter);
});
listen();
