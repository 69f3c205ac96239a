package bgvet

import (
	"cmp"
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

type finding = analysis.Diagnostic

func (p *pkg) found(at ast.Node, category, message string, fixes ...analysis.SuggestedFix) {
	p.findings = append(p.findings, finding{
		Pos: at.Pos(), End: at.End(), Category: category, Message: message, SuggestedFixes: fixes,
	})
}

// report hands on what has been found, each place once, in the order of the source, without
// what is to be ignored.
func (p *pkg) report() {
	slices.SortStableFunc(p.findings, func(a, b finding) int { return cmp.Compare(a.Pos, b.Pos) })
	p.findings = slices.CompactFunc(p.findings, func(a, b finding) bool {
		return a.Pos == b.Pos && a.End == b.End && a.Category == b.Category
	})
	ignored := p.ignored()
	for _, f := range p.findings {
		at := p.pass.Fset.Position(f.Pos)
		if !ignored[place{at.Filename, at.Line}] {
			p.pass.Report(f)
		}
	}
}

type place struct {
	file string
	line int
}

const ignore = "//bgvet:ignore"

// ignored collects the lines that have been told to be ignored, and reports those for which
// no reason is given: these ignore nothing.
func (p *pkg) ignored() map[place]bool {
	lines := make(map[place]bool)
	for _, file := range p.pass.Files {
		code := p.codeLines(file)
		for _, group := range file.Comments {
			for _, c := range group.List {
				if reason, ok := ignoreReason(c.Text); !ok {
					continue
				} else if reason == "" {
					p.pass.Report(finding{Pos: c.Pos(), End: c.End(), Category: "ignore",
						Message: "this ignores nothing without a reason: write //bgvet:ignore and why"})
					continue
				}
				at := p.pass.Fset.Position(c.Pos())
				lines[place{at.Filename, at.Line}] = true
				if !code(at.Line) {
					lines[place{at.Filename, p.line(group.End()) + 1}] = true
				}
			}
		}
	}
	return lines
}

func ignoreReason(comment string) (reason string, ok bool) {
	rest, ok := strings.CutPrefix(comment, ignore)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	reason = strings.TrimSpace(rest)
	if strings.HasPrefix(reason, "//") { // one more comment
		return "", true
	}
	return reason, true
}

// codeLines tells on which lines of a file there is code.
func (p *pkg) codeLines(file *ast.File) func(line int) bool {
	var lines map[int]bool
	return func(line int) bool {
		if lines == nil {
			lines = make(map[int]bool)
			ast.Inspect(file, func(n ast.Node) bool {
				switch n.(type) {
				case nil, *ast.Comment, *ast.CommentGroup:
					return false
				case *ast.File:
					return true
				}
				lines[p.line(n.Pos())] = true
				lines[p.line(max(n.End()-1, token.Pos(1)))] = true
				return true
			})
		}
		return lines[line]
	}
}
