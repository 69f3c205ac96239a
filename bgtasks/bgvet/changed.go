package bgvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"go/version"
	"strings"
)

// checkChanged reports variables that a task has captured and that the handler changes
// after Add (check 4).
func (p *pkg) checkChanged(t *task) {
	for v, use := range p.captured(t) {
		change := p.change(t, v)
		if change == nil {
			continue
		}
		p.found(use, "changed", fmt.Sprintf(
			"%s is changed after Add, on line %d, and the task sees the change: it runs when the handler has returned; "+
				"%s", v.Name(), p.line(change.Pos()), remedy(v)))
	}
}

func remedy(v *types.Var) string {
	switch v.Type().Underlying().(type) {
	case *types.Map, *types.Slice:
		return fmt.Sprintf("hand the task what %s is now, a copy if its elements change: bgtasks.Bind(fn, %s)", v.Name(), v.Name())
	}
	return fmt.Sprintf("fix its value now: bgtasks.Bind(fn, %s)", v.Name())
}

// captured are the variables of the function that adds a task which the task reads, each
// with the first place where it does.
func (p *pkg) captured(t *task) map[*types.Var]ast.Node {
	found := make(map[*types.Var]ast.Node)
	adder := p.function(t.add)
	if lit, ok := t.code.(*ast.FuncLit); ok && adder != nil && inside(adder, lit.Pos()) {
		written := make(map[*types.Var]bool)
		p.eachUse(lit.Body, func(id *ast.Ident, v *types.Var) {
			if inside(lit, v.Pos()) || p.declaredIn(v) != adder || found[v] != nil || written[v] {
				return
			}
			if p.overwrites(id, lit) {
				written[v] = true
			} else if !p.assigned(id) {
				found[v] = id
			}
		})
	}
	if id, ok := t.recv.(*ast.Ident); ok && p.takesAddress(t.recv) {
		if v := p.variable(id); v != nil && p.declaredIn(v) == adder {
			found[v] = id
		}
	}
	for _, arg := range t.args {
		p.eachAddress(arg.expr, func(id *ast.Ident, v *types.Var) {
			if p.declaredIn(v) == adder {
				found[v] = id
			}
		})
	}
	return found
}

func (p *pkg) eachUse(n ast.Node, visit func(*ast.Ident, *types.Var)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if v, ok := p.pass.TypesInfo.Uses[id].(*types.Var); ok && !v.IsField() {
				visit(id, v)
			}
		}
		return true
	})
}

// eachAddress visits the variables whose address is in an argument of Bind.
func (p *pkg) eachAddress(e ast.Expr, visit func(*ast.Ident, *types.Var)) {
	ast.Inspect(e, func(n ast.Node) bool {
		if addr, ok := n.(*ast.UnaryExpr); ok && addr.Op == token.AND {
			if id, ok := ast.Unparen(addr.X).(*ast.Ident); ok {
				if v := p.variable(id); v != nil {
					visit(id, v)
				}
			}
		}
		_, nested := n.(*ast.FuncLit)
		return !nested
	})
}

// takesAddress reports whether the method value of recv, a variable, has its address in it.
func (p *pkg) takesAddress(recv ast.Expr) bool {
	sel, ok := p.above(recv).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := p.object(sel).(*types.Func)
	return ok && isPointer(fn.Signature().Recv().Type()) && !isPointer(p.typeOf(recv))
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

// overwrites reports whether id is set by a statement that the task always runs.
func (p *pkg) overwrites(id *ast.Ident, lit *ast.FuncLit) bool {
	assign, ok := p.above(id).(*ast.AssignStmt)
	return ok && p.assigned(id) && assign.Tok == token.ASSIGN && p.parents[assign] == lit.Body
}

// change is what changes v after the task was added, or nil.
func (p *pkg) change(t *task, v *types.Var) ast.Node {
	var found ast.Node
	if assign, ok := p.statement(t.add).(*ast.AssignStmt); ok && assign.Tok != token.DEFINE && p.changes(assign, v) {
		return assign // sets v to what Add returns
	}
	p.after(t.add, v, func(n ast.Node) {
		if found == nil && p.changes(n, v) {
			found = n
		}
	})
	return found
}

func (p *pkg) changes(n ast.Node, v *types.Var) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if p.partOf(l, v) {
				return true
			}
		}
	case *ast.IncDecStmt:
		return p.partOf(n.X, v)
	case *ast.Ident: // of a range statement that sets it
		if loop, ok := p.parents[n].(*ast.RangeStmt); ok && loop.Tok == token.ASSIGN && n != loop.X {
			return p.variable(n) == v
		}
	}
	return p.fills(n, v)
}

// partOf reports whether e is v, a field of it or an element: what a change of changes v.
// What a pointer leads to is not part of it: who shares that means to.
func (p *pkg) partOf(e ast.Expr, v *types.Var) bool {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.Ident:
			return p.variable(x) == v
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			t := p.typeOf(x.X)
			if t == nil {
				return false
			}
			if _, ok := t.Underlying().(*types.Pointer); ok {
				return false
			}
			e = x.X
		default:
			return false
		}
	}
}

// fills reports whether n calls something that sets v: a Scan, a Decode, an Unmarshal that
// gets its address, delete, clear, or its own Reset.
func (p *pkg) fills(n ast.Node, v *types.Var) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok || found {
			return false
		}
		if call, ok := n.(*ast.CallExpr); ok {
			found = p.fillsBy(call, v)
		}
		return !found
	})
	return found
}

func (p *pkg) fillsBy(call *ast.CallExpr, v *types.Var) bool {
	callee := p.callee(call)
	if b, ok := callee.(*types.Builtin); ok && (b.Name() == "delete" || b.Name() == "clear") {
		return p.partOf(call.Args[0], v)
	}
	fn, ok := callee.(*types.Func)
	if !ok {
		return false
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fn.Name() == "Reset" && p.variable(sel.X) == v {
		return isNamed(v.Type(), "bytes", "Buffer") || isNamed(v.Type(), "strings", "Builder")
	}
	if !strings.HasPrefix(fn.Name(), "Scan") && !strings.HasPrefix(fn.Name(), "Decode") && !strings.HasPrefix(fn.Name(), "Unmarshal") {
		return false
	}
	for _, arg := range call.Args {
		if addr, ok := ast.Unparen(arg).(*ast.UnaryExpr); ok && addr.Op == token.AND && p.partOf(addr.X, v) {
			return true
		}
	}
	return false
}

// loopsDeclareAnew reports whether each iteration of a loop has variables of its own, as is
// so from Go 1.22 on.
func (w *walk) loopsDeclareAnew() bool {
	for _, file := range w.pass.Files {
		if inside(file, w.call.Pos()) {
			v := w.pass.TypesInfo.FileVersions[file]
			return v == "" || version.Compare(version.Lang(v), "go1.22") >= 0
		}
	}
	return true
}
