/*
 * Remembers what a power cut would leave: for each file below POWER_ROOT the bytes it had at its last successful fsync or
 * fdatasync, in a file of the same name below POWER_SHADOW.
 *
 * Modelled: bytes that were written and never synced are lost. Names (rename, unlink) are durable at once, in order, as on a
 * journalling file system; a renamed file keeps only the bytes that were synced under its old name.
 * Not modelled: writes through mmap, O_SYNC, io_uring, and directories that lose names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *root, *shadow;

__attribute__((constructor)) static void begin(void)
{
	root = getenv("POWER_ROOT");
	shadow = getenv("POWER_SHADOW");
	if (!root || !shadow) {
		fputs("power shim: POWER_ROOT and POWER_SHADOW are not set\n", stderr);
		_exit(99);
	}
}

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "power shim: %s %s: %s\n", what, path, strerror(errno));
	_exit(99);
}

/* Puts the shadow's name of a path into out; returns 0 when the path is not below the root. */
static int shadow_of(int directory, const char *path, char *out)
{
	char link[64], whole[2 * PATH_MAX];
	if (path[0] != '/') {
		if (directory == AT_FDCWD)
			strcpy(link, "/proc/self/cwd");
		else
			snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
		ssize_t length = readlink(link, whole, PATH_MAX - 1);
		if (length < 0)
			return 0;
		snprintf(whole + length, sizeof whole - length, "/%s", path);
		path = whole;
	}
	size_t length = strlen(root);
	if (strncmp(path, root, length) != 0 || path[length] != '/')
		return 0;
	if (snprintf(out, PATH_MAX, "%s%s", shadow, path + length) >= PATH_MAX)
		fail("name", path);
	return 1;
}

static void make_parents(const char *path)
{
	char part[PATH_MAX];
	strcpy(part, path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			fail("mkdir", part);
		*slash = '/';
	}
}

/* Copies the file behind a descriptor into the shadow, whole or not at all. */
static void keep(int fd)
{
	char link[64], path[PATH_MAX], target[PATH_MAX], part[PATH_MAX + 32];
	struct stat status;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return;
	path[length] = 0;
	if (!shadow_of(AT_FDCWD, path, target) || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	make_parents(target);
	snprintf(part, sizeof part, "%s.part-%ld", target, (long)syscall(SYS_gettid));
	int from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return; /* unlinked: nothing is left to keep */
	int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		fail("open", part);
	char buffer[1 << 16];
	ssize_t got;
	while ((got = read(from, buffer, sizeof buffer)) > 0)
		for (ssize_t done = 0; done < got;) {
			ssize_t put = write(to, buffer + done, got - done);
			if (put < 0)
				fail("write", part);
			done += put;
		}
	if (got < 0)
		fail("read", path);
	close(from);
	close(to);
	if (syscall(SYS_renameat2, AT_FDCWD, part, AT_FDCWD, target, 0) != 0)
		fail("rename", part);
}

static int synced(int result, int fd)
{
	int before = errno;
	if (result == 0)
		keep(fd);
	errno = before;
	return result;
}

int fsync(int fd)
{
	return synced((int)syscall(SYS_fsync, fd), fd);
}

int fdatasync(int fd)
{
	return synced((int)syscall(SYS_fdatasync, fd), fd);
}

static int renamed(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	int result = (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags), before = errno;
	char old[PATH_MAX], new[PATH_MAX];
	if (result == 0 && shadow_of(from_directory, from, old) && shadow_of(to_directory, to, new)) {
		make_parents(new);
		if (syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0) != 0) {
			/* Never synced: the new name is there, its bytes are not. */
			int empty = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			if (empty < 0)
				fail("open", new);
			close(empty);
		}
	}
	errno = before;
	return result;
}

int rename(const char *from, const char *to)
{
	return renamed(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return renamed(from_directory, from, to_directory, to, 0);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	return renamed(from_directory, from, to_directory, to, flags);
}

int unlinkat(int directory, const char *path, int flags)
{
	int result = (int)syscall(SYS_unlinkat, directory, path, flags), before = errno;
	char gone[PATH_MAX];
	if (result == 0 && !(flags & AT_REMOVEDIR) && shadow_of(directory, path, gone))
		syscall(SYS_unlinkat, AT_FDCWD, gone, 0);
	errno = before;
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}
