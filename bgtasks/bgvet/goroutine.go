package bgvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// checkGoroutines reports go statements in HTTP handlers whose goroutine the handler does
// not wait for (check 8).
func (p *pkg) checkGoroutines() {
	for n := range p.goStatements() {
		handler := p.handler(n)
		if handler == nil || p.longLived(handler) || p.forever(n) || p.waitedFor(n, handler) {
			continue
		}
		p.found(n, "goroutine", "this goroutine outlives its request: it may start before the response is sent, reads what chi and net/http "+
			"reuse for other requests, ends the program if it panics, and a shutdown does not wait for it; use bgtasks.Add")
	}
}

func (p *pkg) goStatements() func(func(*ast.GoStmt) bool) {
	return func(yield func(*ast.GoStmt) bool) {
		for _, file := range p.pass.Files {
			on := true
			ast.Inspect(file, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok && on {
					on = yield(g)
				}
				return on
			})
		}
	}
}

// handler is the innermost function around n that answers a request, or nil.
func (p *pkg) handler(n ast.Node) ast.Node {
	for fn := p.function(n); fn != nil; fn = p.function(fn) {
		var w, r bool
		for _, v := range paramsOf(p.pass.TypesInfo, fn) {
			if v != nil {
				w = w || isNamed(v.Type(), httpPath, "ResponseWriter")
				r = r || isRequest(v.Type())
			}
		}
		if w && r {
			return fn
		}
	}
	return nil
}

// longLived reports whether a handler is one of those that stay: it takes over the
// connection, streams, or passes the request on.
func (p *pkg) longLived(handler ast.Node) bool {
	names := []string{"Upgrade", "Hijack", "Accept", "ServeHTTP", "Flush", "NewUpgrader", "UpgradeHTTP"}
	found := false
	ast.Inspect(body(handler), func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
				found = found || slices.Contains(names, sel.Sel.Name)
			}
		}
		return !found
	})
	return found
}

// forever reports whether a goroutine is meant to run on: it loops without a condition.
func (p *pkg) forever(g *ast.GoStmt) bool {
	fn := p.madeHere(p.callee(g.Call))
	if lit, ok := ast.Unparen(g.Call.Fun).(*ast.FuncLit); ok {
		fn = lit
	}
	if fn == nil {
		return false
	}
	found := false
	ast.Inspect(body(fn), func(n ast.Node) bool {
		if loop, ok := n.(*ast.ForStmt); ok {
			found = found || loop.Cond == nil
		}
		return !found
	})
	return found
}

// elsewhere reports whether n does not run in the handler, but in a goroutine or a task.
func (p *pkg) elsewhere(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if ok && p.isAdd(call) {
		return true
	}
	_, ok = n.(*ast.GoStmt)
	return ok
}

// waitedFor reports whether the handler waits, after it has started a goroutine, for it or
// for others: for a WaitGroup, a channel, a lock.
func (p *pkg) waitedFor(g *ast.GoStmt, handler ast.Node) bool {
	found := false
	ast.Inspect(body(handler), func(n ast.Node) bool {
		if n == nil || found || p.elsewhere(n) {
			return false
		}
		if n.End() < g.Pos() {
			return true
		}
		switch n := n.(type) {
		case *ast.SelectStmt:
			found = true
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		case *ast.RangeStmt:
			if t := p.typeOf(n.X); t != nil {
				_, isChan := t.Underlying().(*types.Chan)
				found = found || isChan
			}
		case *ast.CallExpr:
			if sel, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && sel.Sel.Name == "Wait" {
				found = true
			}
		}
		return !found
	})
	return found
}
