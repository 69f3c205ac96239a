// A card shows one request: its answer, with the time it took, and what its tasks come to. All
// text is set as text, never as HTML.

const watch = document.getElementById("watch");
const news = document.getElementById("news"); // read out to those who listen
export const mostCards = 20;

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

export class Card {
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
		news.textContent = text;
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
			if (event.error) news.textContent = `${event.task} failed: ${event.error}`;
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
