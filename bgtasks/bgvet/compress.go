package bgvet

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// checkCompress reports Compress further in than BackgroundTasks (check 7). It follows what
// is put on a router in the order of the source, into groups, subrouters and functions of
// this package that get the router.
func (p *pkg) checkCompress() {
	for _, call := range p.calls {
		p.checkWrapped(call)
		if isFunc(p.callee(call), chiPath, "Chain") {
			p.checkOrder(call.Args)
		}
	}
	for v := range p.sources {
		if isNamed(v.Type(), chiPath, "Middlewares") && !v.IsField() {
			p.checkOrder(p.list(v))
		}
	}
	for _, decl := range p.decls {
		p.placement().walk(decl.Body)
	}
}

const furtherIn = "Compress is further in than BackgroundTasks: it lends its encoder to other requests as soon as the handler has " +
	"returned, so that a task which writes to its response would write into another's; put Compress before BackgroundTasks"

// checkWrapped looks at BackgroundTasks(runner)(Compress(5)(h)).
func (p *pkg) checkWrapped(call *ast.CallExpr) {
	if !p.isTasks(call.Fun, nil) {
		return
	}
	for _, arg := range call.Args {
		if inner, ok := ast.Unparen(arg).(*ast.CallExpr); ok && p.isCompress(inner.Fun, nil) {
			p.found(inner.Fun, "compress", furtherIn)
		}
	}
}

// checkOrder looks at a list of middlewares.
func (p *pkg) checkOrder(list []ast.Expr) {
	has := false
	for _, e := range list {
		if has && p.isCompress(e, nil) {
			p.found(e, "compress", furtherIn)
		}
		has = has || p.isTasks(e, nil)
	}
}

// list are the elements of a slice that is put together in the order of the source.
func (p *pkg) list(v *types.Var) []ast.Expr {
	var list []ast.Expr
	for _, s := range p.sources[v] {
		switch e := ast.Unparen(s.expr).(type) {
		case *ast.CompositeLit:
			list = slices.Clone(e.Elts)
		case *ast.CallExpr:
			if b, ok := p.callee(e).(*types.Builtin); ok && b.Name() == "append" && p.variable(e.Args[0]) == v {
				list = append(list, e.Args[1:]...)
			}
		}
	}
	return list
}

// A placement is what has been seen of the routers in a function so far.
type placement struct {
	*pkg
	tasks      map[types.Object]bool     // routers that have BackgroundTasks
	compressed map[types.Object]ast.Expr // routers that have Compress, and where
	depth      int
}

func (p *pkg) placement() *placement {
	return &placement{pkg: p, tasks: make(map[types.Object]bool), compressed: make(map[types.Object]ast.Expr)}
}

func (pl *placement) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if n.Else != nil {
				pl.branches(n)
				return false
			}
		case *ast.AssignStmt:
			pl.with(n)
		case *ast.CallExpr:
			return !pl.call(n)
		}
		return true
	})
}

// branches walks both ways of an if from the same state.
func (pl *placement) branches(s *ast.IfStmt) {
	before := make(map[types.Object]bool)
	for router := range pl.tasks {
		before[router] = true
	}
	pl.walk(s.Body)
	after := pl.tasks
	pl.tasks = before
	pl.walk(s.Else)
	for router := range after {
		pl.tasks[router] = true
	}
}

// with notes a router that is made from another: in := r.With(...).
func (pl *placement) with(s *ast.AssignStmt) {
	for i, rhs := range s.Rhs {
		if i >= len(s.Lhs) || len(s.Lhs) != len(s.Rhs) {
			return
		}
		if call, ok := ast.Unparen(rhs).(*ast.CallExpr); ok && pl.routerHasTasks(call) {
			if obj := pl.object(s.Lhs[i]); obj != nil {
				pl.tasks[obj] = true
			}
		}
	}
}

// routerHasTasks reports whether an expression is a router that has BackgroundTasks.
func (pl *placement) routerHasTasks(e ast.Expr) bool {
	if obj := pl.object(e); obj != nil {
		return pl.tasks[obj]
	}
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || !isRouter(pl.typeOf(sel.X)) || sel.Sel.Name != "With" {
		return false
	}
	return pl.routerHasTasks(sel.X) || slices.ContainsFunc(pl.spread(call.Args), func(a ast.Expr) bool { return pl.isTasks(a, nil) })
}

// call looks at a call on a router, or that gets one, and reports whether it has walked
// what is in it.
func (pl *placement) call(call *ast.CallExpr) bool {
	sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || !isRouter(pl.typeOf(sel.X)) {
		pl.follow(call)
		return false
	}
	has := pl.routerHasTasks(sel.X)
	switch sel.Sel.Name {
	case "Use", "With":
		after := pl.place(call, has)
		if obj := pl.object(sel.X); obj != nil && sel.Sel.Name == "Use" {
			pl.tasks[obj] = after
			pl.noteCompress(obj, call)
		}
	case "Mount":
		if has {
			pl.mount(call)
		}
	case "Group", "Route":
		pl.walk(sel.X)
		pl.enter(call.Args[len(call.Args)-1], 0, has)
		return true
	}
	return false
}

func (pl *placement) noteCompress(router types.Object, call *ast.CallExpr) {
	for _, arg := range pl.spread(call.Args) {
		if pl.isCompress(arg, nil) {
			pl.compressed[router] = arg
		}
	}
}

// mount looks at a router that is mounted into one with BackgroundTasks.
func (pl *placement) mount(call *ast.CallExpr) {
	if len(call.Args) != 2 {
		return
	}
	if at := pl.compressed[pl.object(call.Args[1])]; at != nil {
		pl.found(at, "compress", furtherIn)
		return
	}
	made, ok := ast.Unparen(call.Args[1]).(*ast.CallExpr)
	if !ok {
		return
	}
	if decl := pl.declared(pl.callee(made)); decl != nil && pl.depth < 4 {
		inner := pl.placement()
		inner.depth = pl.depth + 1
		inner.walk(decl.Body)
		for ret := range returns(decl) {
			if len(ret.Results) == 0 {
				continue
			}
			if at := inner.compressed[pl.object(ret.Results[0])]; at != nil {
				pl.found(at, "compress", furtherIn)
			}
		}
	}
}

// place looks at a list of middlewares and reports whether BackgroundTasks is placed after it.
func (pl *placement) place(call *ast.CallExpr, has bool) bool {
	var tasks ast.Expr
	for _, arg := range pl.spread(call.Args) {
		switch {
		case pl.isTasks(arg, nil):
			has, tasks = true, arg
		case has && pl.isCompress(arg, nil):
			pl.found(arg, "compress", furtherIn, pl.swap(call, tasks, arg)...)
		}
	}
	return has
}

// spread is a list of arguments with the elements of a slice that is spread.
func (pl *placement) spread(args []ast.Expr) []ast.Expr {
	if len(args) != 1 {
		return args
	}
	if v := pl.variable(args[0]); v != nil {
		if list := pl.list(v); len(list) > 0 {
			return list
		}
	} else if lit, ok := ast.Unparen(args[0]).(*ast.CompositeLit); ok {
		return lit.Elts
	}
	return args
}

// swap exchanges two arguments of one call.
func (pl *placement) swap(call *ast.CallExpr, tasks, compress ast.Expr) []analysis.SuggestedFix {
	if tasks == nil || !slices.Contains(call.Args, tasks) || !slices.Contains(call.Args, compress) {
		return nil
	}
	return []analysis.SuggestedFix{{Message: "Exchange Compress and BackgroundTasks", TextEdits: []analysis.TextEdit{
		{Pos: tasks.Pos(), End: tasks.End(), NewText: []byte(types.ExprString(compress))},
		{Pos: compress.Pos(), End: compress.End(), NewText: []byte(types.ExprString(tasks))},
	}}}
}

// follow walks a function of this package that gets a router with BackgroundTasks.
func (pl *placement) follow(call *ast.CallExpr) {
	for i, arg := range call.Args {
		if isRouter(pl.typeOf(arg)) && pl.routerHasTasks(arg) {
			pl.enter(call.Fun, i, true)
		}
	}
}

// enter walks a function whose i-th parameter is a router that has BackgroundTasks or not.
func (pl *placement) enter(e ast.Expr, i int, has bool) {
	fn := ast.Node(nil)
	if lit, ok := ast.Unparen(e).(*ast.FuncLit); ok {
		fn = lit
	} else if has {
		fn = pl.madeHere(pl.object(e))
	}
	if fn == nil || pl.depth > 4 {
		return
	}
	params := paramsOf(pl.pass.TypesInfo, fn)
	if has && i < len(params) && params[i] != nil {
		pl.tasks[params[i]] = true
	}
	pl.depth++
	pl.walk(body(fn))
	pl.depth--
}

func isRouter(t types.Type) bool {
	return isNamed(t, chiPath, "Router") || isNamed(t, chiPath, "Mux")
}

// isTasks reports whether an expression is the middleware BackgroundTasks.
func (p *pkg) isTasks(e ast.Expr, seen []*types.Var) bool {
	return p.isMiddleware(e, seen, func(obj types.Object) bool { return isFunc(obj, chimwPath, "BackgroundTasks") })
}

// isCompress reports whether an expression is a middleware that compresses and pools its
// encoders.
func (p *pkg) isCompress(e ast.Expr, seen []*types.Var) bool {
	return p.isMiddleware(e, seen, func(obj types.Object) bool {
		return isFunc(obj, chiPath+"/middleware", "Compress") || isMethod(obj, chiPath+"/middleware", "Compressor", "Handler") ||
			isFunc(obj, "github.com/klauspost/compress/gzhttp", "GzipHandler") || isFunc(obj, "github.com/nytimes/gziphandler", "GzipHandler")
	})
}

func (p *pkg) isMiddleware(e ast.Expr, seen []*types.Var, is func(types.Object) bool) bool {
	e = ast.Unparen(e)
	if call, ok := e.(*ast.CallExpr); ok {
		return is(p.callee(call))
	}
	if is(p.object(e)) {
		return true
	}
	v := p.variable(e)
	if v == nil || p.params[v] != nil || slices.Contains(seen, v) || len(p.sources[v]) != 1 {
		return false
	}
	return p.isMiddleware(p.sources[v][0].expr, append(seen, v), is)
}
