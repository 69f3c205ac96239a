// Forms say by data-method, data-path and data-kind what request they are; a button can say
// otherwise.

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
export function requestOf(form, button, token) {
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
