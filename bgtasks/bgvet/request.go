package bgvet

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
)

// What may be asked of a request that has been answered: what was in its first lines, and
// what the handler has read.
var (
	formMethods = []string{"FormValue", "PostFormValue", "FormFile", "ParseForm", "ParseMultipartForm", "MultipartReader"}
	formFields  = []string{"Form", "PostForm", "MultipartForm"}
	readMethods = []string{"Write", "WriteProxy"}
)

// checkRequest reports the use of a request for what is no longer there (check 2).
func (p *pkg) checkRequest(m mention) {
	if what := p.requestUse(m); what != "" {
		p.found(m.at(), "request", what+m.by())
		return
	}
	if sel, call := p.selected(m.expr); call != nil && sel.Sel.Name == "Context" {
		m.expr = call
		p.checkContext(m)
	}
}

// requestUse says what is wrong with a mention of a request, if anything is.
func (p *pkg) requestUse(m mention) string {
	if sel, call := p.selected(m.expr); sel != nil {
		return p.selectedUse(m, sel, call)
	}
	call, i := p.argumentOf(m.expr)
	if call == nil {
		if _, ok := p.above(m.expr).(*ast.SendStmt); ok {
			return handedOn(p.source(m.expr))
		}
		return ""
	}
	return p.argumentUse(m, call, i)
}

func (p *pkg) selectedUse(m mention, sel *ast.SelectorExpr, call *ast.CallExpr) string {
	name := sel.Sel.Name
	switch {
	case name == "Body" && call == nil:
		return p.bodyUse(m, sel)
	case slices.Contains(formFields, name) && call == nil, slices.Contains(formMethods, name) && call != nil:
		if p.parsed(m) {
			return ""
		}
		return fmt.Sprintf("%s finds the body of an answered request closed when this task runs, and the form empty: "+
			"parse it in the handler, before Add, and hand the task the values that it needs", p.source(sel))
	case slices.Contains(readMethods, name) && call != nil:
		return bodyMessage(p.source(sel))
	case (name == "Clone" || name == "WithContext") && call != nil:
		m.expr = call
		return p.requestUse(m)
	}
	return ""
}

// checkBody reports the use of what reads a body (check 2).
func (p *pkg) checkBody(m mention) {
	if what := p.bodyUse(m, m.expr); what != "" {
		p.found(m.at(), "request", what+m.by())
	}
}

func (p *pkg) bodyUse(m mention, e ast.Expr) string {
	if sel, _ := p.selected(e); sel != nil && sel.Sel.Name == "Close" || p.idle(e) || p.assigned(e) {
		return ""
	}
	if sel, ok := e.(*ast.SelectorExpr); ok && p.kindOf(e, m.where) != reqBody && isRequest(p.typeOf(sel.X)) {
		return ""
	}
	return bodyMessage(p.source(e))
}

func bodyMessage(what string) string {
	return fmt.Sprintf("%s reads the body of a request, which is closed when this task runs: "+
		"read it in the handler, before Add, and hand the task what was read (bgtasks.Bind)", what)
}

func handedOn(what string) string {
	return fmt.Sprintf("%s is handed on, but when this task runs its request has been answered: body and form are closed, "+
		"its context has ended; hand on the values that are needed, read in the handler", what)
}

// assigned reports whether e is assigned to.
func (p *pkg) assigned(e ast.Expr) bool {
	assign, ok := p.above(e).(*ast.AssignStmt)
	return ok && slices.ContainsFunc(assign.Lhs, func(l ast.Expr) bool { return ast.Unparen(l) == e })
}

// argumentUse judges a call that is handed a request, by its body where it is in this
// package.
func (p *pkg) argumentUse(m mention, call *ast.CallExpr, i int) string {
	callee := p.callee(call)
	if p.takesRequests(callee) || p.isConversion(call) || p.bodyReplaced(m.expr) {
		return ""
	}
	if _, builtin := callee.(*types.Builtin); builtin {
		return ""
	}
	fn := p.madeHere(callee)
	if fn == nil {
		return handedOn(p.source(m.expr))
	}
	if what := p.useIn(m.task, fn, i, nil); what != "" {
		return fmt.Sprintf("%s is handed to %s: %s", p.source(m.expr), callee.Name(), what)
	}
	return ""
}

// bodyReplaced reports whether a copy of a request was given a body of its own.
func (p *pkg) bodyReplaced(e ast.Expr) bool {
	v := p.variable(e)
	return v != nil && p.replacesBody(v, fieldOf(v.Type(), "Body"))
}

func fieldOf(t types.Type, name string) *types.Var {
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	v, _ := obj.(*types.Var)
	return v
}

// useIn looks into a function for what is wrong with its i-th parameter being a request.
// around are the functions that are being looked into.
func (p *pkg) useIn(t *task, fn ast.Node, i int, around []ast.Node) string {
	params := paramsOf(p.pass.TypesInfo, fn)
	if i >= len(params) || params[i] == nil || slices.Contains(around, fn) || len(around) > 4 {
		return ""
	}
	s := &scope{code: fn, requests: map[*types.Var]bool{params[i]: true}}
	var what string
	p.mentions(t, s, nil, func(m mention) {
		if what != "" || m.kind != request && m.kind != reqBody {
			return
		}
		what = p.deepUse(m, append(around, fn))
	})
	return what
}

func (p *pkg) deepUse(m mention, around []ast.Node) string {
	if m.kind == reqBody {
		return p.bodyUse(m, m.expr)
	}
	if call, i := p.argumentOf(m.expr); call != nil {
		if fn := p.madeHere(p.callee(call)); fn != nil {
			return p.useIn(m.task, fn, i, around)
		}
	}
	if what := p.requestUse(m); what != "" {
		return what
	}
	if sel, call := p.selected(m.expr); call != nil && sel.Sel.Name == "Context" && !p.valuesOnly(call, around) {
		return contextMessage(p.source(call), "context")
	}
	return ""
}

// checkBoundRequest looks at a request that Bind hands to a task.
func (p *pkg) checkBoundRequest(m mention, arg bound) {
	if arg.fn == nil {
		p.found(m.expr, "request", handedOn(p.source(m.expr)))
		return
	}
	if what := p.useIn(m.task, arg.fn, 1, nil); what != "" {
		p.found(m.expr, "request", fmt.Sprintf("%s is what the task gets: %s", p.source(m.expr), what))
	}
}

// takesRequests reports whether fn takes requests and uses nothing but what may be used.
func (p *pkg) takesRequests(fn types.Object) bool {
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	switch path := fn.Pkg().Path(); path {
	case "fmt", "log", "log/slog":
		return true
	case chiPath:
		return fn.Name() == "URLParam"
	case "github.com/go-chi/render":
		return fn.Name() == "GetRequestContentType" || fn.Name() == "GetAcceptedContentType"
	case httpPath:
		return fn.Name() == "ProxyFromEnvironment"
	}
	return false
}

// parsed reports whether the form of a request may have been read before the task was
// added: by a method of the request, or by a function that it was handed to.
func (p *pkg) parsed(m mention) bool {
	handler := p.function(m.task.add)
	if handler == nil || m.where == nil {
		return false
	}
	found := false
	ast.Inspect(body(handler), func(n ast.Node) bool {
		if found || n == m.task.code {
			return false
		}
		e, ok := n.(ast.Expr)
		if ok && e.Pos() < m.task.add.Pos() && isRequest(p.typeOf(e)) && p.kindOf(e, nil) == request {
			found = p.parses(e)
		}
		return !found
	})
	return found
}

func (p *pkg) parses(r ast.Expr) bool {
	if sel, _ := p.selected(r); sel != nil {
		return slices.Contains(formMethods, sel.Sel.Name) && sel.Sel.Name != "MultipartReader"
	}
	call, i := p.argumentOf(r)
	if call == nil {
		return false
	}
	fn := p.madeHere(p.callee(call))
	if fn == nil {
		return !p.leavesForm(p.callee(call))
	}
	return p.parsesIn(fn, i)
}

// parsesIn reports whether a function reads forms.
func (p *pkg) parsesIn(fn ast.Node, _ int) bool {
	found := false
	ast.Inspect(body(fn), func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && isRequest(p.typeOf(sel.X)) {
			found = found || slices.Contains(formMethods, sel.Sel.Name)
		}
		return !found
	})
	return found
}

// leavesForm reports whether fn is known not to read a form.
func (p *pkg) leavesForm(fn types.Object) bool {
	if p.takesRequests(fn) {
		return true
	}
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	switch fn.Pkg().Path() {
	case "github.com/go-chi/render":
		return fn.Name() != "DecodeForm" && fn.Name() != "Bind" && fn.Name() != "Decode"
	case httpPath:
		return true
	}
	return false
}
