// The program `air`: verbs, the one try/catch, the one exit.
int main() { return 0; }
