package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// A task is code that was handed to Add, or to a helper that passes it on.
type task struct {
	scope
	add  *ast.CallExpr // Add, or the helper's call
	args []bound       // what Bind gives to it
	recv ast.Expr      // the x of the method value x.m, if it is one
}

// bound is an argument that Bind fixes.
type bound struct {
	expr ast.Expr
	kind kind
	fn   ast.Node // its function, if it is known
}

// findTasks follows what is handed to Add back to the functions that it is.
func (p *pkg) findTasks() {
	p.findPassers()
	for _, call := range p.calls {
		handed := p.handed(call)
		if len(handed) == 0 {
			continue
		}
		r := resolver{pkg: p, add: call, given: p.givenContexts(call)}
		for _, h := range handed {
			r.resolveHanded(h)
		}
	}
}

func (p *pkg) isAdd(call *ast.CallExpr) bool { return isFunc(p.callee(call), bgtasksPath, "Add") }

// A handing is an argument that will be run as a task, or around one: itself, or its results.
type handing struct {
	expr ast.Expr
	way  way
}

func (p *pkg) handed(call *ast.CallExpr) []handing {
	var handed []handing
	callee := p.callee(call)
	if isFunc(callee, bgtasksPath, "Add") && len(call.Args) > 2 {
		for _, arg := range call.Args[2:] {
			handed = append(handed, handing{arg, asItself})
		}
		return handed
	}
	positions := p.passers[callee]
	if len(positions) == 0 {
		return nil
	}
	sig, ok := callee.Type().Underlying().(*types.Signature)
	if !ok {
		return nil
	}
	for i, arg := range call.Args {
		if sig.Variadic() {
			i = min(i, sig.Params().Len()-1)
		}
		if w := positions[i]; w != no {
			handed = append(handed, handing{arg, w})
		}
	}
	return handed
}

// givenContexts are the variables that the contexts in a call to Add are made from.
func (p *pkg) givenContexts(call *ast.CallExpr) map[*types.Var]bool {
	given := make(map[*types.Var]bool)
	for _, arg := range call.Args {
		if !isContext(p.typeOf(arg)) {
			continue
		}
		ast.Inspect(arg, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if v := p.variable(id); v != nil && !v.IsField() && isContext(v.Type()) {
					given[v] = true
				}
			}
			_, nested := n.(*ast.FuncLit)
			return !nested
		})
	}
	return given
}

// A resolver finds the functions behind what one call hands on.
type resolver struct {
	*pkg
	add   *ast.CallExpr
	given map[*types.Var]bool
	seen  []types.Object
}

func (r *resolver) resolveHanded(h handing) {
	switch h.way {
	case asItself:
		r.resolve(h.expr)
	case asResults:
		r.resolveResults(h.expr)
	}
}

// resolveResults finds the tasks that a function returns which is called in the handler.
func (r *resolver) resolveResults(e ast.Expr) {
	if fn := r.codeOf(e); fn != nil {
		r.resolveReturns(fn)
	}
}

// codeOf is the function of this package that e is, if that can be seen. That of a parameter is
// found at the calls of the helper.
func (p *pkg) codeOf(e ast.Expr) ast.Node {
	if lit, ok := ast.Unparen(e).(*ast.FuncLit); ok {
		return lit
	}
	obj := p.object(e)
	if v, ok := obj.(*types.Var); ok && p.params[v] != nil {
		return nil
	}
	return p.madeHere(obj)
}

func (r *resolver) resolve(e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.FuncLit:
		r.task(e, nil)
	case *ast.SelectorExpr:
		r.resolveSelector(e)
	case *ast.Ident, *ast.IndexExpr:
		r.resolveObject(r.object(e))
	case *ast.CompositeLit:
		r.resolveElements(e)
	case *ast.CallExpr:
		r.resolveCall(e)
	}
}

func (r *resolver) resolveSelector(e *ast.SelectorExpr) {
	selection := r.pass.TypesInfo.Selections[e]
	if selection == nil || selection.Kind() != types.MethodVal {
		r.resolveObject(r.object(e))
		return
	}
	t := &task{scope: scope{given: r.given}, add: r.add, recv: e.X}
	if decl := r.declared(r.object(e)); decl != nil && !slices.Contains(r.seen, r.object(e)) {
		r.seen = append(r.seen, r.object(e))
		t.code = decl
	}
	r.tasks = append(r.tasks, t)
}

func (r *resolver) resolveObject(obj types.Object) {
	if obj == nil || slices.Contains(r.seen, obj) {
		return
	}
	r.seen = append(r.seen, obj)
	switch obj := obj.(type) {
	case *types.Func:
		if decl := r.decls[obj.Origin()]; decl != nil {
			r.task(decl, nil)
		}
	case *types.Var:
		if r.params[obj] != nil { // its values are found at the calls of the helper
			return
		}
		for _, s := range r.sources[obj.Origin()] {
			r.resolve(s.expr)
		}
	}
}

func (r *resolver) resolveElements(lit *ast.CompositeLit) {
	for _, element := range lit.Elts {
		if kv, ok := element.(*ast.KeyValueExpr); ok {
			element = kv.Value
		}
		if _, nested := element.(*ast.CompositeLit); nested || isFuncType(r.typeOf(element)) {
			r.resolve(element)
		}
	}
}

// resolveCall looks for the functions in a call that makes a task, a middleware or an option.
func (r *resolver) resolveCall(call *ast.CallExpr) {
	callee := r.callee(call)
	switch {
	case r.isConversion(call) && len(call.Args) == 1:
		r.resolve(call.Args[0])
	case isFunc(callee, bgtasksPath, "Bind") && len(call.Args) == 2:
		r.bind(call.Args[0], call.Args[1])
	case r.madeHere(callee) != nil:
		r.resolveMaker(call, callee)
	default:
		for _, arg := range call.Args {
			if isFuncType(r.typeOf(arg)) {
				r.resolve(arg)
			}
		}
		if lit, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
			r.resolveReturns(lit)
		}
	}
}

func (r *resolver) bind(fn, arg ast.Expr) {
	n := len(r.tasks)
	r.resolve(fn)
	k := r.kindOf(arg, nil)
	if v := r.variable(arg); v != nil && r.given[v] {
		k = reqContext
	}
	if len(r.tasks) == n { // not known: what it is handed is all there is to say
		r.tasks = append(r.tasks, &task{scope: scope{given: r.given}, add: r.add})
	}
	for _, t := range r.tasks[n:] {
		t.args = append(t.args, bound{expr: arg, kind: k, fn: t.code})
	}
}

// madeHere is the body of a function of this package that makes a task.
func (p *pkg) madeHere(callee types.Object) ast.Node {
	switch callee := callee.(type) {
	case *types.Func:
		if decl := p.decls[callee]; decl != nil {
			return decl
		}
	case *types.Var:
		if lit := p.literal(callee); lit != nil {
			return lit
		}
	}
	return nil
}

// resolveMaker finds the tasks that a function returns, and those among its arguments that
// are in them.
func (r *resolver) resolveMaker(call *ast.CallExpr, callee types.Object) {
	fn := r.madeHere(callee)
	if !slices.Contains(r.seen, callee) {
		r.seen = append(r.seen, callee)
		r.resolveReturns(fn)
	}
	params := paramsOf(r.pass.TypesInfo, fn)
	for i, arg := range call.Args {
		if !isFuncType(r.typeOf(arg)) || i >= len(params) {
			continue
		}
		for ret := range returns(fn) {
			for _, e := range ret.Results {
				r.resolveHanded(handing{arg, r.wayInto(e, params[i])})
			}
		}
	}
}

func (r *resolver) resolveReturns(fn ast.Node) {
	for ret := range returns(fn) {
		for _, e := range ret.Results {
			if carriesFunc(r.typeOf(e)) {
				r.resolve(e)
			}
		}
	}
}

func (r *resolver) task(code ast.Node, args []bound) {
	r.tasks = append(r.tasks, &task{scope: scope{code: code, given: r.given}, add: r.add, args: args})
}

// paramsOf lists the parameters of a function, nil for one without a name.
func paramsOf(info *types.Info, fn ast.Node) []*types.Var {
	var params []*types.Var
	for _, field := range funcType(fn).Params.List {
		if len(field.Names) == 0 {
			params = append(params, nil)
		}
		for _, name := range field.Names {
			v, _ := info.Defs[name].(*types.Var)
			params = append(params, v)
		}
	}
	return params
}
