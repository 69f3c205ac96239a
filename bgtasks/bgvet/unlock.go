package bgvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// checkUnlock reports data that the handler uses under a lock, until it returns, and the
// task without (check 6). Only data counts that one of them changes, and that other
// requests can get at: a package's variables, and fields of a struct that the handler has
// not made itself.
func (p *pkg) checkUnlock(t *task, adder ast.Node, r release) {
	lit, ok := t.code.(*ast.FuncLit)
	if !ok || p.locks(lit) {
		return
	}
	inHandler := p.accesses(body(adder), lit, r)
	inTask := p.accesses(lit.Body, nil, r)
	for name, a := range inTask {
		b := inHandler[name]
		if !a.write && !b.write {
			continue
		}
		p.found(a.at, "release", fmt.Sprintf(
			"%s is guarded by %s, which the handler unlocks when it returns (line %d), before this task runs: lock it in the task too",
			name, types.ExprString(r.path), p.line(r.call.Pos())))
	}
}

// locks reports whether a task takes a lock of its own.
func (p *pkg) locks(lit *ast.FuncLit) bool {
	found := false
	ast.Inspect(lit.Body, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			found = found || sel.Sel.Name == "Lock" || sel.Sel.Name == "RLock"
		}
		return !found
	})
	return found
}

type access struct {
	at    ast.Node
	write bool
}

// accesses are the shared data that n uses, by how they are written, except in skip.
func (p *pkg) accesses(n ast.Node, skip ast.Node, r release) map[string]access {
	found := make(map[string]access)
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if n == nil || n == skip || !ok {
			return n != skip
		}
		if p.guardedBy(e, r) {
			name := types.ExprString(e)
			a, known := found[name]
			if !known {
				a.at = e
			}
			a.write = a.write || p.written(e)
			found[name] = a
		}
		return true
	})
	return found
}

// guardedBy reports whether a mutex may be there for e: both are fields of one struct, or
// both are variables of the package.
func (p *pkg) guardedBy(e ast.Expr, r release) bool {
	v := p.variable(e)
	mutex := p.variable(r.path)
	if v == nil || mutex == nil || v == mutex || isFuncType(v.Type()) {
		return false
	}
	if sel, ok := e.(*ast.SelectorExpr); ok {
		return v.IsField() && types.ExprString(sel.X) == p.guarded(r.path) && !p.madeLocally(sel.X)
	}
	return v.Parent() == p.pass.Pkg.Scope() && mutex.Parent() == p.pass.Pkg.Scope()
}

// guarded is the struct that a mutex is a field of, or embedded in: "" if there is none.
func (p *pkg) guarded(path ast.Expr) string {
	if !isNamed(p.typeOf(path), "sync", "Mutex") && !isNamed(p.typeOf(path), "sync", "RWMutex") {
		return types.ExprString(path)
	}
	if sel, ok := ast.Unparen(path).(*ast.SelectorExpr); ok {
		return types.ExprString(sel.X)
	}
	return ""
}

// madeLocally reports whether e is a variable whose struct was made where it is declared.
func (p *pkg) madeLocally(e ast.Expr) bool {
	v := p.variable(e)
	return v != nil && !v.IsField() && slices.ContainsFunc(p.sources[v], func(s source) bool {
		made := ast.Unparen(s.expr)
		if addr, ok := made.(*ast.UnaryExpr); ok {
			made = addr.X
		}
		_, ok := made.(*ast.CompositeLit)
		return ok
	})
}

// written reports whether e, or an element or a field of it, is set.
func (p *pkg) written(e ast.Expr) bool {
	n := ast.Node(e)
	for {
		switch parent := p.above(n).(type) {
		case *ast.IndexExpr:
			if ast.Unparen(parent.X) != n {
				return false
			}
			n = parent
		case *ast.SelectorExpr:
			n = parent
		case *ast.IncDecStmt:
			return true
		case *ast.AssignStmt:
			target, ok := n.(ast.Expr)
			return ok && parent.Tok != token.DEFINE && p.assigned(target)
		case *ast.CallExpr:
			b, ok := p.callee(parent).(*types.Builtin)
			return ok && (b.Name() == "delete" || b.Name() == "clear") && len(parent.Args) > 0 && parent.Args[0] == n
		default:
			return false
		}
	}
}
