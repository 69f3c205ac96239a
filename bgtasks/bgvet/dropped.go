package bgvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// checkDropped reports calls of Add, and of helpers that return its error, whose error is
// dropped without a word (check 5).
func (p *pkg) checkDropped() {
	for _, call := range p.calls {
		if !p.isAdd(call) && !p.returnsRefusal(call) {
			continue
		}
		const refused = "a refused task (too many pending, a shutdown, no middleware) does not run, and here nobody is told: "
		switch s := p.above(call).(type) {
		case *ast.ExprStmt:
			p.found(call, "dropped", refused+"answer 503 if there is an error, or write _ = where that is no matter", p.answerFix(s, call)...)
		case *ast.GoStmt, *ast.DeferStmt:
			p.found(call, "dropped", refused+"call it in the handler itself, and answer 503 if there is an error")
		}
	}
}

// returnsRefusal reports whether a helper of this package returns what Add has returned.
func (p *pkg) returnsRefusal(call *ast.CallExpr) bool {
	callee := p.callee(call)
	fn := p.madeHere(callee)
	if fn == nil || p.passers[callee] == nil {
		return false
	}
	t := p.typeOf(call)
	if t == nil || !types.Identical(t, errorType) {
		return false
	}
	for ret := range returns(fn) {
		for _, e := range ret.Results {
			if inner, ok := ast.Unparen(e).(*ast.CallExpr); ok && p.isAdd(inner) {
				return true
			}
		}
	}
	return false
}

// answerFix checks the error where it is clear how: a function that returns an error returns
// it, one that has a response answers 503.
func (p *pkg) answerFix(s *ast.ExprStmt, call *ast.CallExpr) []analysis.SuggestedFix {
	fn := p.function(call)
	if fn == nil {
		return nil
	}
	var then, message string
	results := funcType(fn).Results
	switch {
	case results != nil && len(results.List) == 1 && len(results.List[0].Names) < 2 && types.Identical(p.typeOf(results.List[0].Type), errorType):
		then, message = "return err", "Return the error"
	case results == nil && p.writerName(fn) != "" && p.importName(call, httpPath) != "":
		name := p.importName(call, httpPath)
		then = name + ".Error(" + p.writerName(fn) + ", \"too busy\", " + name + ".StatusServiceUnavailable)\nreturn"
		message = "Answer 503 if the task is refused"
	default:
		return nil
	}
	return []analysis.SuggestedFix{{Message: message, TextEdits: []analysis.TextEdit{
		{Pos: s.Pos(), End: s.Pos(), NewText: []byte("if err := ")},
		{Pos: s.End(), End: s.End(), NewText: []byte("; err != nil {\n" + then + "\n}")},
	}}}
}

// writerName is the name of a function's parameter that is an http.ResponseWriter.
func (p *pkg) writerName(fn ast.Node) string {
	for _, v := range paramsOf(p.pass.TypesInfo, fn) {
		if v != nil && v.Name() != "_" && isNamed(v.Type(), httpPath, "ResponseWriter") {
			return v.Name()
		}
	}
	return ""
}

// importName is the name by which the code at n refers to a package, "" if it can't.
func (p *pkg) importName(n ast.Node, path string) string {
	scope := p.pass.Pkg.Scope().Innermost(n.Pos())
	for ; scope != nil; scope = scope.Parent() {
		for _, name := range scope.Names() {
			imported, ok := scope.Lookup(name).(*types.PkgName)
			if !ok || imported.Imported().Path() != path {
				continue
			}
			if _, obj := p.pass.Pkg.Scope().Innermost(n.Pos()).LookupParent(name, token.NoPos); obj == imported {
				return name
			}
		}
	}
	return ""
}
