package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyTo makes a copy of the newest version of the module that can be changed, and has it know
// the library, whether it is used or not.
func (s suite) copyTo(dir, library string) (string, error) {
	from, err := download(dir, s.module)
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return "", err
	}
	if err := makeWritable(dir); err != nil {
		return "", err
	}
	return dir, command(dir, "go", "mod", "edit", "-go=1.26", "-toolchain=none",
		"-require=github.com/chi-bgtasks/chi-bgtasks@v0.0.0", "-replace=github.com/chi-bgtasks/chi-bgtasks="+library)
}

// download returns where the module cache has the module.
func download(dir, module string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module+"@latest")
	cmd.Dir = os.TempDir() // outside any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if json.Unmarshal(out, &m) != nil || m.Dir == "" {
		return "", fmt.Errorf("cannot be downloaded: %s %w", m.Error, err)
	}
	return m.Dir, nil
}

func makeWritable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
