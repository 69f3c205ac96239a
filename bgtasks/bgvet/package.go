package bgvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/cfg"
)

// A pkg is a package with what the checks ask about it, gathered in one walk.
type pkg struct {
	pass    *analysis.Pass
	parents map[ast.Node]ast.Node
	decls   map[*types.Func]*ast.FuncDecl
	params  map[*types.Var]ast.Node   // the *ast.FuncLit or *ast.FuncDecl whose parameter, receiver or result it is
	sources map[*types.Var][]source   // where a variable, field or parameter gets its values
	names   map[*types.Var]*ast.Ident // where a variable is declared
	uses    map[*types.Func][]*ast.Ident
	calls   []*ast.CallExpr
	graphs  map[ast.Node]*cfg.CFG

	tasks    []*task
	passers  map[types.Object]map[int]way // helpers, and which of their parameters they hand to Add
	findings []finding
}

// A source is an expression whose value a variable gets.
type source struct {
	expr  ast.Expr
	index int        // of its results
	each  bool       // its elements
	of    *types.Var // for a field: the variable whose field is set, if it is known
}

func load(pass *analysis.Pass) *pkg {
	p := &pkg{
		pass:    pass,
		parents: make(map[ast.Node]ast.Node),
		decls:   make(map[*types.Func]*ast.FuncDecl),
		params:  make(map[*types.Var]ast.Node),
		sources: make(map[*types.Var][]source),
		names:   make(map[*types.Var]*ast.Ident),
		uses:    make(map[*types.Func][]*ast.Ident),
		graphs:  make(map[ast.Node]*cfg.CFG),
		passers: make(map[types.Object]map[int]way),
	}
	for _, file := range pass.Files {
		ast.PreorderStack(file, nil, func(n ast.Node, stack []ast.Node) bool {
			if len(stack) > 0 {
				p.parents[n] = stack[len(stack)-1]
			}
			p.note(n)
			return true
		})
	}
	for _, call := range p.calls {
		p.noteArguments(call)
	}
	return p
}

func (p *pkg) note(n ast.Node) {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if fn, ok := p.pass.TypesInfo.Defs[n.Name].(*types.Func); ok && n.Body != nil {
			p.decls[fn] = n
		}
		p.noteParams(n, n.Recv, n.Type.Params, n.Type.Results)
	case *ast.FuncLit:
		p.noteParams(n, n.Type.Params, n.Type.Results)
	case *ast.AssignStmt:
		p.noteAssign(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		lhs := make([]ast.Expr, len(n.Names))
		for i, name := range n.Names {
			lhs[i] = name
		}
		p.noteAssign(lhs, n.Values)
	case *ast.RangeStmt:
		if n.Value != nil {
			p.noteSource(n.Value, source{expr: n.X, each: true})
		}
	case *ast.CompositeLit:
		p.noteFields(n)
	case *ast.CallExpr:
		p.calls = append(p.calls, n)
	case *ast.Ident:
		if v, ok := p.pass.TypesInfo.Defs[n].(*types.Var); ok {
			p.names[v] = n
		}
		if fn, ok := p.pass.TypesInfo.Uses[n].(*types.Func); ok && fn.Pkg() == p.pass.Pkg {
			p.uses[fn.Origin()] = append(p.uses[fn.Origin()], n)
		}
	}
}

func (p *pkg) noteParams(fn ast.Node, lists ...*ast.FieldList) {
	for _, list := range lists {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				if v, ok := p.pass.TypesInfo.Defs[name].(*types.Var); ok {
					p.params[v] = fn
				}
			}
		}
	}
}

func (p *pkg) noteAssign(lhs, rhs []ast.Expr) {
	for i, l := range lhs {
		switch {
		case len(rhs) == len(lhs):
			p.noteSource(l, source{expr: rhs[i]})
		case len(rhs) == 1:
			p.noteSource(l, source{expr: rhs[0], index: i})
		}
	}
}

func (p *pkg) noteSource(to ast.Expr, s source) {
	if sel, ok := ast.Unparen(to).(*ast.SelectorExpr); ok {
		s.of = p.variable(sel.X)
	}
	if v := p.variable(to); v != nil {
		p.sources[v] = append(p.sources[v], s)
	}
}

func (p *pkg) noteFields(lit *ast.CompositeLit) {
	t := p.typeOf(lit)
	if t == nil {
		return
	}
	if ptr, ok := t.Underlying().(*types.Pointer); ok {
		t = ptr.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, element := range lit.Elts {
		if kv, ok := element.(*ast.KeyValueExpr); ok {
			p.noteSource(kv.Key, source{expr: kv.Value})
		} else if i < s.NumFields() {
			v := s.Field(i).Origin()
			p.sources[v] = append(p.sources[v], source{expr: element})
		}
	}
}

// noteArguments makes the arguments of a call the sources of the parameters of a function
// of this package.
func (p *pkg) noteArguments(call *ast.CallExpr) {
	sig := p.signature(p.callee(call))
	if sig == nil || sig.Variadic() || sig.Params().Len() != len(call.Args) {
		return
	}
	for i, arg := range call.Args {
		v := sig.Params().At(i)
		p.sources[v] = append(p.sources[v], source{expr: arg})
	}
}

// signature is that of a function whose body is in this package.
func (p *pkg) signature(fn types.Object) *types.Signature {
	switch fn := fn.(type) {
	case *types.Func:
		if p.decls[fn] != nil {
			return fn.Signature()
		}
	case *types.Var:
		if lit := p.literal(fn); lit != nil {
			sig, _ := p.typeOf(lit).(*types.Signature)
			return sig
		}
	}
	return nil
}

// literal is the function literal that a variable holds, if it holds no other.
func (p *pkg) literal(v *types.Var) *ast.FuncLit {
	var found *ast.FuncLit
	for _, s := range p.sources[v] {
		lit, ok := ast.Unparen(s.expr).(*ast.FuncLit)
		if !ok || found != nil {
			return nil
		}
		found = lit
	}
	return found
}

// function is the innermost function that has n in its body, or nil.
func (p *pkg) function(n ast.Node) ast.Node {
	for n = p.parents[n]; n != nil; n = p.parents[n] {
		switch n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return n
		}
	}
	return nil
}

// declaredIn is the function that a variable is local to, or nil.
func (p *pkg) declaredIn(v *types.Var) ast.Node {
	if name := p.names[v]; name != nil {
		return p.function(name)
	}
	return nil
}

// statement is the innermost statement that n is in.
func (p *pkg) statement(n ast.Node) ast.Stmt {
	for ; n != nil; n = p.parents[n] {
		if s, ok := n.(ast.Stmt); ok {
			return s
		}
	}
	return nil
}

// above is the parent of an expression, parentheses left out.
func (p *pkg) above(e ast.Node) ast.Node {
	n := p.parents[e]
	for {
		paren, ok := n.(*ast.ParenExpr)
		if !ok {
			return n
		}
		n = p.parents[paren]
	}
}

func body(fn ast.Node) *ast.BlockStmt {
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		return fn.Body
	case *ast.FuncLit:
		return fn.Body
	}
	return nil
}

func funcType(fn ast.Node) *ast.FuncType {
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		return fn.Type
	case *ast.FuncLit:
		return fn.Type
	}
	return nil
}

func inside(n ast.Node, pos token.Pos) bool { return n.Pos() <= pos && pos < n.End() }

func (p *pkg) line(pos token.Pos) int { return p.pass.Fset.Position(pos).Line }
