package bgvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// checkContext reports the use of a context that ends with the request (check 3).
func (p *pkg) checkContext(m mention) {
	if p.valuesOnly(m.expr, nil) || p.assigned(m.expr) {
		return
	}
	own := p.ownContext(m)
	p.found(m.at(), "taskcontext", contextMessage(p.source(m.expr), own.name)+m.by(), p.ownFix(m, own)...)
}

func contextMessage(what, own string) string {
	return fmt.Sprintf("%s is the request's, not the task's: it has been cancelled, or is never, when this task runs, "+
		"whatever the task's timeout and the shutdown say; use the task's own %s, which has the same values", what, own)
}

// valuesOnly reports whether a context is only asked for values: these are still there.
// around are the functions that are being looked into.
func (p *pkg) valuesOnly(e ast.Expr, around []ast.Node) bool {
	if sel, call := p.selected(e); call != nil {
		return sel.Sel.Name == "Value"
	}
	call, i := p.argumentOf(e)
	if call == nil {
		return false
	}
	callee := p.callee(call)
	if isFunc(callee, chiPath, "URLParamFromCtx", "RouteContext") || isFunc(callee, chiPath+"/middleware", "GetReqID") {
		return true
	}
	fn := p.madeHere(callee)
	return fn != nil && !slices.Contains(around, fn) && p.valuesOnlyIn(fn, i, append(around, fn))
}

func (p *pkg) valuesOnlyIn(fn ast.Node, i int, around []ast.Node) bool {
	params := paramsOf(p.pass.TypesInfo, fn)
	if i >= len(params) {
		return false
	}
	used, only := false, true
	p.eachUse(body(fn), func(id *ast.Ident, v *types.Var) {
		if v == params[i] {
			used, only = true, only && p.valuesOnly(id, around)
		}
	})
	return used && only
}

// checkCapturedBackground reports a context.Background() that the handler has kept for the
// task.
func (p *pkg) checkCapturedBackground(m mention) {
	v := p.variable(m.expr)
	if v == nil || v.IsField() || p.function(m.task.add) != p.declaredIn(v) || p.excused(m.expr, m.task.code) {
		return
	}
	own := p.ownContext(m)
	p.found(m.at(), "taskcontext", backgroundMessage(p.source(m.expr), own.name), p.ownFix(m, own)...)
}

func backgroundMessage(what, own string) string {
	return fmt.Sprintf("%s knows neither the task's timeout nor the shutdown, and has no values: this task would run on, unstopped; "+
		"use the task's own %s", what, own)
}

// checkBackground reports context.Background() in the code of a task (check 3).
func (p *pkg) checkBackground(t *task) {
	ast.Inspect(body(t.code), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isFunc(p.callee(call), "context", "Background", "TODO") || p.excused(call, t.code) {
			return true
		}
		m := mention{expr: call, kind: background, task: t, where: &t.scope}
		own := p.ownContext(m)
		if own.fn != nil && p.idle(call) {
			return true
		}
		p.found(call, "taskcontext", backgroundMessage(p.source(call), own.name), p.ownFix(m, own)...)
		return true
	})
}

// excused reports whether e is in a place where work has to go on when the task's context
// has ended: in a defer or go statement, or after an error or the context was looked at.
func (p *pkg) excused(e ast.Node, code ast.Node) bool {
	for n := e; n != nil && n != code; n = p.parents[n] {
		switch parent := p.parents[n].(type) {
		case *ast.DeferStmt, *ast.GoStmt, *ast.CommClause, *ast.CaseClause:
			return true
		case *ast.IfStmt:
			if (n == parent.Body || n == parent.Else) && p.looksAtErrors(parent) {
				return true
			}
		case *ast.CallExpr:
			if isFunc(p.callee(parent), "context", "AfterFunc") {
				return true
			}
		}
	}
	return false
}

var errorType = types.Universe.Lookup("error").Type()

func (p *pkg) looksAtErrors(s *ast.IfStmt) bool {
	found := false
	ast.Inspect(s.Cond, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			t := p.typeOf(e)
			found = found || t != nil && (types.Identical(t, errorType) || isContext(t))
		}
		return !found
	})
	return found
}

// An own context is the parameter of the innermost function of a task that has one.
type own struct {
	name  string // for messages; "ctx" where it has none
	field *ast.Field
	fn    ast.Node
}

func (p *pkg) ownContext(m mention) own {
	n := ast.Node(m.expr)
	if m.via != nil {
		n = m.via
	}
	for fn := p.function(n); fn != nil; fn = p.function(fn) {
		for _, field := range funcType(fn).Params.List {
			if !isContext(p.typeOf(field.Type)) {
				continue
			}
			name := "ctx"
			if len(field.Names) == 1 && field.Names[0].Name != "_" {
				name = field.Names[0].Name
			}
			return own{name: name, field: field, fn: fn}
		}
		if m.task.code == nil || fn == m.task.code {
			break
		}
	}
	return own{name: "context"}
}

// ownFix writes the task's own context in place of another, where that compiles for sure.
func (p *pkg) ownFix(m mention, o own) []analysis.SuggestedFix {
	if o.field == nil || m.via != nil || m.where == nil || !p.stillUsed(m) {
		return nil
	}
	edits := []analysis.TextEdit{{Pos: m.expr.Pos(), End: m.expr.End(), NewText: []byte(o.name)}}
	switch {
	case len(o.field.Names) == 0:
		if len(funcType(o.fn).Params.List) > 1 {
			return nil
		}
		edits = append(edits, analysis.TextEdit{Pos: o.field.Pos(), End: o.field.Pos(), NewText: []byte(o.name + " ")})
	case o.field.Names[0].Name == "_":
		name := o.field.Names[0]
		edits = append(edits, analysis.TextEdit{Pos: name.Pos(), End: name.End(), NewText: []byte(o.name)})
	}
	if !p.free(o, m.expr.Pos()) {
		return nil
	}
	return []analysis.SuggestedFix{{Message: "Use the task's own context", TextEdits: edits}}
}

// free reports whether the name of o means o at pos, or may be given to it without any
// effect on other code.
func (p *pkg) free(o own, pos token.Pos) bool {
	scope := p.pass.TypesInfo.Scopes[funcType(o.fn)]
	if scope == nil {
		return false
	}
	if len(o.field.Names) == 1 && o.field.Names[0].Name == o.name {
		inner := scope.Innermost(pos)
		if inner == nil {
			return false
		}
		_, obj := inner.LookupParent(o.name, pos)
		return obj != nil && obj == p.pass.TypesInfo.Defs[o.field.Names[0]]
	}
	used := false
	ast.Inspect(body(o.fn), func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == o.name && !inside(o.field, id.Pos()) {
			obj := p.pass.TypesInfo.ObjectOf(id)
			v, isVar := obj.(*types.Var)
			// A captured context of that name is what is to be replaced anyway.
			used = used || !isVar || !isContext(v.Type()) || inside(o.fn, v.Pos())
		}
		return !used
	})
	return !used
}

// stillUsed reports whether the variable that a fix would replace is used elsewhere: Go
// does not compile local variables that are not.
func (p *pkg) stillUsed(m mention) bool {
	id, ok := m.expr.(*ast.Ident)
	if !ok {
		return true
	}
	v := p.variable(id)
	if v == nil || p.params[v] != nil {
		return true
	}
	for use, obj := range p.pass.TypesInfo.Uses {
		if obj == v && !inside(m.task.code, use.Pos()) && !p.assigned(use) {
			return true
		}
	}
	return false
}
