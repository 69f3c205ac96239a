package bgvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/cfg"
)

// after calls visit for the statements and conditions that can run after a call that adds a
// task, in the function that makes the call, if the task was accepted. With v, a path ends
// where v becomes another variable: where it is declared, and at the end of an iteration of
// the loop that declares it.
func (p *pkg) after(call *ast.CallExpr, v *types.Var, visit func(ast.Node)) {
	fn := p.function(call)
	if fn == nil {
		return
	}
	graph := p.graph(fn)
	start, at := blockOf(graph, call)
	if start == nil {
		return
	}
	w := walk{pkg: p, call: call, v: v, visit: visit, seen: make(map[*cfg.Block]bool)}
	w.nodes(start, at+1)
}

func (p *pkg) graph(fn ast.Node) *cfg.CFG {
	if p.graphs[fn] == nil {
		p.graphs[fn] = cfg.New(body(fn), p.mayReturn)
	}
	return p.graphs[fn]
}

func (p *pkg) mayReturn(call *ast.CallExpr) bool {
	switch fn := p.callee(call).(type) {
	case *types.Builtin:
		return fn.Name() != "panic"
	case *types.Func:
		return !isFunc(fn, "os", "Exit") && !isFunc(fn, "log", "Fatal", "Fatalf", "Fatalln") && !isFunc(fn, "runtime", "Goexit")
	}
	return true
}

func blockOf(graph *cfg.CFG, call *ast.CallExpr) (*cfg.Block, int) {
	for _, b := range graph.Blocks {
		for i, n := range b.Nodes {
			if b.Live && inside(n, call.Pos()) {
				return b, i
			}
		}
	}
	return nil, 0
}

type walk struct {
	*pkg
	call  *ast.CallExpr
	v     *types.Var
	visit func(ast.Node)
	seen  map[*cfg.Block]bool
}

func (w *walk) nodes(b *cfg.Block, from int) {
	for _, n := range b.Nodes[from:] {
		if w.v != nil && w.declares(n) {
			return
		}
		w.visit(n)
	}
	if loop, ok := b.Stmt.(*ast.RangeStmt); ok && b.Kind == cfg.KindRangeLoop && loop.Tok == token.ASSIGN {
		for _, e := range []ast.Expr{loop.Key, loop.Value} { // the graph has them before the loop only
			if e != nil {
				w.visit(e)
			}
		}
	}
	for _, next := range b.Succs {
		if !w.seen[next] && !w.refused(next) && !w.renews(next) {
			w.seen[next] = true
			w.nodes(next, 0)
		}
	}
}

func (w *walk) declares(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for _, name := range n.Names {
			if w.pass.TypesInfo.Defs[name] == w.v {
				return true
			}
		}
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if id, ok := l.(*ast.Ident); ok && w.pass.TypesInfo.Defs[id] == w.v {
				return true
			}
		}
	}
	return false
}

// renews reports whether b is where the loop that declares v goes on to a new v.
func (w *walk) renews(b *cfg.Block) bool {
	if w.v == nil || w.names[w.v] == nil || !w.loopsDeclareAnew() {
		return false
	}
	switch loop := b.Stmt.(type) {
	case *ast.ForStmt:
		last := b.Kind == cfg.KindForPost || loop.Post == nil && (b.Kind == cfg.KindForLoop || loop.Cond == nil && b.Kind == cfg.KindForBody)
		return last && loop.Init != nil && inside(loop.Init, w.v.Pos())
	case *ast.RangeStmt:
		return b.Kind == cfg.KindRangeLoop && loop.Tok == token.DEFINE && inside(loop, w.v.Pos()) && w.v.Pos() < loop.X.Pos()
	}
	return false
}

// refused reports whether b only runs if Add has returned an error.
func (w *walk) refused(b *cfg.Block) bool {
	s, ok := b.Stmt.(*ast.IfStmt)
	if !ok || b.Kind != cfg.KindIfThen && b.Kind != cfg.KindIfElse {
		return false
	}
	cond, ok := ast.Unparen(s.Cond).(*ast.BinaryExpr)
	if !ok || !w.isResult(s, cond.X) {
		return false
	}
	if id, ok := ast.Unparen(cond.Y).(*ast.Ident); !ok || id.Name != "nil" {
		return false
	}
	return cond.Op == token.NEQ && b.Kind == cfg.KindIfThen || cond.Op == token.EQL && b.Kind == cfg.KindIfElse
}

// isResult reports whether e is what the call has returned: the call itself, or the
// variable that was set to it last.
func (w *walk) isResult(s *ast.IfStmt, e ast.Expr) bool {
	if inside(e, w.call.Pos()) {
		return true
	}
	v := w.variable(e)
	if v == nil {
		return false
	}
	var last *source
	for i, src := range w.sources[v] {
		if src.expr.Pos() < s.Cond.Pos() && (last == nil || src.expr.Pos() > last.expr.Pos()) {
			last = &w.sources[v][i]
		}
	}
	return last != nil && inside(last.expr, w.call.Pos())
}
