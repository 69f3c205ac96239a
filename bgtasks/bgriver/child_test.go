package bgriver_test

func child(string) {}
