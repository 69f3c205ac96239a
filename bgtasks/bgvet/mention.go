package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// A mention is a place in a task's code that refers to something of the request.
type mention struct {
	expr  ast.Expr
	kind  kind
	task  *task
	where *scope
	via   *ast.Ident // a function of the handler that the task calls, and whose code has the mention
}

// at is where to report the mention: in the task.
func (m mention) at() ast.Node {
	if m.via != nil {
		return m.via
	}
	return m.expr
}

// checkTask reports what a task uses and can't use any more.
func (p *pkg) checkTask(t *task) {
	for _, arg := range t.args {
		p.checkArgument(t, arg)
	}
	if t.code == nil {
		return
	}
	p.mentions(t, &t.scope, nil, p.checkMention)
	p.checkBackground(t)
}

func (p *pkg) checkMention(m mention) {
	switch m.kind {
	case writer:
		p.checkWriter(m)
	case request:
		p.checkRequest(m)
	case reqBody:
		p.checkBody(m)
	case reqContext:
		p.checkContext(m)
	case background:
		p.checkCapturedBackground(m)
	}
}

// checkArgument looks at what Bind hands to a task.
func (p *pkg) checkArgument(t *task, arg bound) {
	m := mention{expr: arg.expr, kind: arg.kind, task: t}
	if arg.kind == request {
		p.checkBoundRequest(m, arg)
		return
	}
	p.checkMention(m)
}

// mentions calls visit for what the code of s refers to.
func (p *pkg) mentions(t *task, s *scope, via *ast.Ident, visit func(mention)) {
	ast.Inspect(body(s.code), func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		v, ok := p.pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || v.IsField() {
			return true
		}
		e, k := p.widen(id, s)
		local := ast.Expr(id) == e && inside(s.code, v.Pos())
		switch {
		case k == harmless:
			p.mentionsVia(t, s, id, v, visit)
		case local && k != request: // where it comes from is reported
		case p.idle(e):
		default:
			visit(mention{expr: e, kind: k, task: t, where: s, via: via})
		}
		return true
	})
}

// widen takes a variable and the fields that are selected from it, as far as needed to
// get to something that is of a request.
func (p *pkg) widen(id *ast.Ident, s *scope) (ast.Expr, kind) {
	var e ast.Expr = id
	for {
		if k := p.kindOf(e, s); k != harmless {
			return e, k
		}
		sel, ok := p.above(e).(*ast.SelectorExpr)
		if !ok {
			return e, harmless
		}
		e = sel
	}
}

// mentionsVia looks into a function that the handler has in a variable and that a task
// calls.
func (p *pkg) mentionsVia(t *task, s *scope, id *ast.Ident, v *types.Var, visit func(mention)) {
	lit := p.literal(v)
	if lit == nil || inside(s.code, lit.Pos()) || inside(lit, s.code.Pos()) || p.isTask(lit) {
		return
	}
	if slices.Contains(s.around, lit) || len(s.around) > 4 { // functions may call each other
		return
	}
	p.mentions(t, &scope{code: lit, given: s.given, around: append(s.around, lit)}, id, visit)
}

func (p *pkg) isTask(code ast.Node) bool {
	for _, t := range p.tasks {
		if t.code == code {
			return true
		}
	}
	return false
}

// idle reports whether nothing is done with e: it is compared with nil, or assigned to _.
func (p *pkg) idle(e ast.Expr) bool {
	switch parent := p.above(e).(type) {
	case *ast.BinaryExpr:
		return true
	case *ast.AssignStmt:
		for i, r := range parent.Rhs {
			if ast.Unparen(r) == e && len(parent.Lhs) == len(parent.Rhs) {
				name, ok := parent.Lhs[i].(*ast.Ident)
				return ok && name.Name == "_"
			}
		}
	}
	return false
}

// selected is what is selected from e, and the call of it, if there is one.
func (p *pkg) selected(e ast.Expr) (sel *ast.SelectorExpr, call *ast.CallExpr) {
	sel, ok := p.above(e).(*ast.SelectorExpr)
	if !ok {
		return nil, nil
	}
	if call, ok := p.above(sel).(*ast.CallExpr); ok && ast.Unparen(call.Fun) == sel {
		return sel, call
	}
	return sel, nil
}

// argumentOf is the call that e is an argument of, and which one.
func (p *pkg) argumentOf(e ast.Expr) (*ast.CallExpr, int) {
	call, ok := p.above(e).(*ast.CallExpr)
	if !ok {
		return nil, 0
	}
	for i, arg := range call.Args {
		if ast.Unparen(arg) == e {
			return call, i
		}
	}
	return nil, 0
}

func (p *pkg) source(e ast.Node) string { return types.ExprString(e.(ast.Expr)) }
