// The button of a virtual Raspberry Pi, between a GPIO line and ground, moved by hand:
//   button press [PIN] | release [PIN] | hold SECONDS [PIN] | bounce [N] [PIN]
// PIN is 17 where nothing is said. `bounce` presses it as worn metal does: N presses (default 8), each but
// the last let go within microseconds. In C, because that needs edges without an interpreter between them.
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void usage(void)
{
	fputs("button press [PIN] | release [PIN] | hold SECONDS [PIN] | bounce [N] [PIN]\n", stderr);
	exit(64);
}

static double number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0))
		usage();
	return value;
}

// gpio-sim's file for the pull of that line.
static int line(unsigned int pin)
{
	char pattern[80];
	glob_t found;
	int file;

	snprintf(pattern, sizeof(pattern), "/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio%u/pull", pin);
	if (glob(pattern, 0, NULL, &found)) {
		fprintf(stderr, "button: this machine has no line %u\n", pin);
		exit(69);
	}
	file = open(found.gl_pathv[0], O_WRONLY);
	if (file < 0) {
		perror(found.gl_pathv[0]);
		exit(77);
	}
	return file;
}

static void pull(int file, const char *to)
{
	if (pwrite(file, to, strlen(to), 0) < 0) {
		perror("button");
		exit(74);
	}
}

static void press(int file) { pull(file, "pull-down"); }
static void release(int file) { pull(file, "pull-up"); }

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	int has_amount = !strcmp(what, "hold") || !strcmp(what, "bounce");
	double amount = has_amount && count > 2 ? number(words[2]) : 8;
	int file;

	if (count > 3 + has_amount || (!strcmp(what, "hold") && count < 3))
		usage();
	file = line(count > 2 + has_amount ? (unsigned int)number(words[2 + has_amount]) : 17);
	if (!strcmp(what, "press")) {
		press(file);
	} else if (!strcmp(what, "release")) {
		release(file);
	} else if (!strcmp(what, "hold")) {
		struct timespec time = { (time_t)amount, (long)((amount - (time_t)amount) * 1e9) };

		press(file);
		nanosleep(&time, NULL);
		release(file);
	} else if (!strcmp(what, "bounce")) {
		press(file);
		while (--amount > 0) {
			release(file);
			press(file);
		}
	} else {
		usage();
	}
	return 0;
}
