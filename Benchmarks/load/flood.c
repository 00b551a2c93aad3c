// An HTTP/1.1 load generator that costs little beside the service it loads, and reads what it gets.
//
//     flood HOST PORT SECONDS DRAIN [PID AT] < PLAN > JSON
//
// PLAN has one line for each class of requests:
//
//     NAME rate=R | closed=N  [new] [disconnect=MS] [count=N] REQUEST[:BODY]...
//
// `rate` sends R requests a second whether or not earlier ones were answered (open loop); `closed` keeps N going, each
// connection asking again once it is answered. REQUEST files hold a request's bytes and are sent in turn; with BODY, a
// 200 whose body isn't that file's is counted as wrong. `new` takes a new connection for each request, `disconnect`
// closes it MS after the request was sent, `count` ends after N requests. After SECONDS nothing is sent, a line is
// printed to standard error, and responses are awaited for DRAIN more seconds. AT seconds after the start process PID
// is sent SIGTERM; requests go on.
//
// A connection that was refused counts as `refused`, one that ended without its response as `broken`: among these are
// `crossed` where it had been kept and the request was sent AT or later, since a server may close an idle connection
// while a request is on its way to it (RFC 9112 9.5).
//
// A request's time runs from the moment it was due, not from when it could be sent, so that a stalled service isn't
// spared the requests that it delayed. Linux only: epoll.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CASES = 64, CLASSES = 32, SECONDS = 4096, IDLE_MS = 8000 };

typedef struct {
    char *bytes;
    size_t count;
} Bytes;
typedef struct {
    Bytes request, body;
} Case;
typedef struct {
    uint32_t microseconds;
    uint16_t status;
} Sample;

typedef struct Class Class;

typedef struct Connection {
    int descriptor; // -1 once closed
    Class *class; // NULL while idle in the pool
    const Case *asked;
    size_t sent;
    double due, asked_at, sent_at, idle_since;
    int asked_before, is_refused;
    char *input;
    size_t filled, room;
    struct Connection *next; // in the pool, most recent first, or among the closed
    struct Connection *newer, *older; // all open ones
} Connection;

struct Class {
    char name[64];
    double rate, next_due;
    long closed, disconnect, count, started, in_flight;
    int is_new, case_count;
    Case cases[CASES];
    long right, wrong, broken, crossed, refused, disconnected, open_at_end;
    long right_by_second[SECONDS];
    Sample *samples;
    size_t sample_count, sample_room;
};

static Class classes[CLASSES];
static int class_count;
static struct sockaddr_in address;
static int events;
static Connection *pool, *all;
/// Freed only when no event that has been fetched can refer to them.
static Connection *closed;
static double start, stop;
/// The process that is sent SIGTERM, and when.
static pid_t stopped_process;
static double kill_at;
static int is_killed;
static volatile sig_atomic_t is_told_to_stop;

static void die(const char *what) {
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *grown(void *memory, size_t bytes) {
    void *larger = realloc(memory, bytes);
    if (!larger) die("memory");
    return larger;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static Bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    Bytes bytes = {NULL, 0};
    for (size_t got = 1; got > 0; bytes.count += got) {
        bytes.bytes = grown(bytes.bytes, bytes.count + 65536);
        got = fread(bytes.bytes + bytes.count, 1, 65536, file);
    }
    fclose(file);
    return bytes;
}

// Results of requests.

static void record(Class *class, double due, int status) {
    if (class->sample_count == class->sample_room) {
        class->sample_room = class->sample_room ? 2 * class->sample_room : 1024;
        class->samples = grown(class->samples, class->sample_room * sizeof(Sample));
    }
    class->samples[class->sample_count++] = (Sample){(uint32_t)((now() - due) * 1e6), (uint16_t)status};
}

static void judge(Connection *connection, int status, const char *body, size_t count) {
    Class *class = connection->class;
    record(class, connection->due, status);
    if (status != 200) return;
    Bytes expected = connection->asked->body;
    if (expected.bytes && (expected.count != count || memcmp(expected.bytes, body, count) != 0)) {
        class->wrong++;
        return;
    }
    class->right++;
    long second = (long)(now() - start);
    if (second >= 0 && second < SECONDS) class->right_by_second[second]++;
}

// Connections.

static void close_connection(Connection *connection) {
    close(connection->descriptor);
    connection->descriptor = -1;
    if (connection->class) connection->class->in_flight--;
    if (connection->newer) connection->newer->older = connection->older;
    else all = connection->older;
    if (connection->older) connection->older->newer = connection->newer;
    connection->next = closed;
    closed = connection;
}

static void free_closed(void) {
    while (closed) {
        Connection *connection = closed;
        closed = connection->next;
        free(connection->input);
        free(connection);
    }
}

static void leave_pool(Connection *connection) {
    for (Connection **place = &pool; *place; place = &(*place)->next) {
        if (*place == connection) {
            *place = connection->next;
            return;
        }
    }
}

static void break_off(Connection *connection) {
    Class *class = connection->class;
    if (!class) {
        leave_pool(connection);
    } else if (connection->is_refused) {
        class->refused++;
    } else {
        class->broken++;
        if (connection->asked_before && is_killed && connection->asked_at >= kill_at) class->crossed++;
    }
    close_connection(connection);
}

static Connection *connect_new(void) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) die("socket");
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        int number = errno;
        close(descriptor);
        errno = number;
        return NULL;
    }
    Connection *connection = grown(NULL, sizeof *connection);
    *connection = (Connection){.descriptor = descriptor, .older = all};
    if (all) all->newer = connection;
    all = connection;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) != 0) die("epoll_ctl");
    return connection;
}

/// An idle connection, unless the service may be about to close it for its idleness.
static Connection *take_connection(int is_new, double moment) {
    while (!is_new && pool) {
        Connection *connection = pool;
        pool = connection->next;
        if (moment - connection->idle_since < IDLE_MS * 1e-3) return connection;
        close_connection(connection);
    }
    return connect_new();
}

static void write_some(Connection *connection) {
    Bytes request = connection->asked->request;
    while (connection->sent < request.count) {
        ssize_t count = send(connection->descriptor, request.bytes + connection->sent, request.count - connection->sent,
                             MSG_NOSIGNAL);
        // Where a write fails, a refusal may be there to be read.
        if (count < 0) {
            connection->is_refused |= errno == ECONNREFUSED;
            return;
        }
        connection->sent += (size_t)count;
        connection->sent_at = now();
    }
}

static void ask(Class *class, Connection *connection, double due) {
    connection->class = class;
    connection->asked = &class->cases[class->started++ % class->case_count];
    connection->due = due;
    connection->asked_at = now();
    connection->sent = connection->filled = 0;
    class->in_flight++;
    write_some(connection);
}

static void begin(Class *class, double due) {
    Connection *connection = take_connection(class->is_new, due);
    if (!connection) {
        class->started++;
        if (errno == ECONNREFUSED) class->refused++;
        else class->broken++;
        return;
    }
    ask(class, connection, due);
}

static int may_begin(Class *class, double moment) {
    return moment < stop && (class->count == 0 || class->started < class->count);
}

static void finished(Connection *connection, int is_kept) {
    Class *class = connection->class;
    double moment = now();
    int goes_on = class->closed > 0 && may_begin(class, moment);
    if (is_kept && !class->is_new && connection->sent == connection->asked->request.count) {
        class->in_flight--;
        connection->class = NULL;
        connection->asked_before = 1;
        if (goes_on) return ask(class, connection, moment);
        connection->idle_since = moment;
        connection->next = pool;
        pool = connection;
        return;
    }
    close_connection(connection);
    if (goes_on) begin(class, moment);
}

// Responses.

/// The value of a field in the head that ends at `end`, or NULL.
static const char *field(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = head; (line = memmem(line, (size_t)(end - line), "\r\n", 2));) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') return line + length + 1;
    }
    return NULL;
}

/// Takes one response out of the input if it is whole. Returns 0 where it isn't HTTP as the service speaks it.
static int take_response(Connection *connection) {
    while (connection->filled > 0) {
        char *head = connection->input;
        char *end = memmem(head, connection->filled, "\r\n\r\n", 4);
        if (!end) return connection->filled < 65536;
        if (end - head < 12 || memcmp(head, "HTTP/1.1 ", 9) != 0) return 0;
        int status = atoi(head + 9);
        size_t head_count = (size_t)(end + 4 - head);
        if (status / 100 == 1) {
            connection->filled -= head_count;
            memmove(head, head + head_count, connection->filled);
            continue;
        }
        const char *length = field(head, end + 2, "Content-Length");
        if (!length && status != 204 && status != 304) return 0;
        size_t count = length ? strtoul(length, NULL, 10) : 0;
        if (connection->filled < head_count + count) return 1;
        if (connection->filled > head_count + count) return 0;
        const char *kept = field(head, end + 2, "Connection");
        judge(connection, status, end + 4, count);
        finished(connection, !(kept && strncasecmp(kept + strspn(kept, " "), "close", 5) == 0));
        return 1;
    }
    return 1;
}

static void readable(Connection *connection) {
    while (1) {
        if (connection->room - connection->filled < 16384) {
            connection->room = connection->room ? 2 * connection->room : 32768;
            connection->input = grown(connection->input, connection->room);
        }
        ssize_t count = recv(connection->descriptor, connection->input + connection->filled,
                             connection->room - connection->filled, 0);
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0) connection->is_refused |= errno == ECONNREFUSED;
        if (count <= 0 || !connection->class) return break_off(connection);
        connection->filled += (size_t)count;
        if (!take_response(connection)) return break_off(connection);
        if (connection->descriptor < 0) return;
    }
}

static void disconnect_clients(double moment) {
    for (Connection *connection = all, *older; connection; connection = older) {
        older = connection->older;
        Class *class = connection->class;
        if (!class || !class->disconnect || connection->sent < connection->asked->request.count) continue;
        if (moment - connection->sent_at < class->disconnect * 1e-3) continue;
        class->disconnected++;
        close_connection(connection);
    }
}

// The run.

/// Sends what is due; returns when the next is.
static double begin_due(double moment) {
    double next = stop;
    for (Class *class = classes; class < classes + class_count; class ++) {
        if (class->closed) {
            // Those that broke off are replaced, and so are those that disconnected.
            while (class->in_flight < class->closed && may_begin(class, moment)) {
                long before = class->broken + class->refused;
                begin(class, moment);
                if (class->broken + class->refused > before) break;
            }
            continue;
        }
        while (class->next_due <= moment && may_begin(class, class->next_due)) {
            begin(class, class->next_due);
            class->next_due += 1 / class->rate;
        }
        if (may_begin(class, class->next_due) && class->next_due < next) next = class->next_due;
    }
    return next;
}

static void await_events(double until) {
    struct epoll_event ready[256];
    double span = until - now();
    if (span < 0) span = 0;
    struct timespec timeout = {(time_t)span, (long)((span - (time_t)span) * 1e9)};
    int count = epoll_pwait2(events, ready, 256, &timeout, NULL);
    for (int index = 0; index < count; index++) {
        Connection *connection = ready[index].data.ptr;
        if (connection->descriptor < 0) continue;
        if (connection->class && ready[index].events & EPOLLOUT) write_some(connection);
        if (ready[index].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable(connection);
    }
    free_closed();
}

static long in_flight(void) {
    long sum = 0;
    for (Class *class = classes; class < classes + class_count; class ++) sum += class->in_flight;
    return sum;
}

static void on_signal(int number) {
    (void)number;
    is_told_to_stop = 1;
}

static void run(double seconds, double drain) {
    start = now();
    stop = start + seconds;
    kill_at += start;
    for (Class *class = classes; class < classes + class_count; class ++) class->next_due = start;
    int is_told = 0;
    double next_scan = start;
    while (1) {
        double moment = now();
        if (is_told_to_stop && moment < stop) stop = moment;
        if (stopped_process && !is_killed && moment >= kill_at) {
            is_killed = 1;
            kill_at = moment;
            if (kill(stopped_process, SIGTERM) != 0) die("kill");
        }
        if (moment >= stop && !is_told) {
            is_told = 1;
            fprintf(stderr, "flood: nothing more is sent, %ld unanswered\n", in_flight());
        }
        double next = moment < stop ? begin_due(moment) : stop + drain;
        int is_all_counted = 1;
        for (Class *class = classes; class < classes + class_count; class ++) is_all_counted &= class->count > 0;
        if (in_flight() == 0 && (moment >= stop || (is_all_counted && next == stop))) break;
        if (moment >= stop + drain) break;
        if (moment >= next_scan) {
            disconnect_clients(moment);
            next_scan = moment + 0.05;
        }
        await_events(next < next_scan ? next : next_scan);
    }
    for (Class *class = classes; class < classes + class_count; class ++) class->open_at_end = class->in_flight;
}

static int by_time(const void *left, const void *right) {
    uint32_t a = ((const Sample *)left)->microseconds, b = ((const Sample *)right)->microseconds;
    return (a > b) - (a < b);
}

static void print_statuses(const Class *class) {
    const char *separator = "";
    size_t counts[65536] = {0};
    for (size_t index = 0; index < class->sample_count; index++) counts[class->samples[index].status]++;
    for (int status = 0; status < 1000; status++) {
        size_t count = counts[status];
        if (count == 0) continue;
        printf("%s\"%d\": {\"count\": %zu", separator, status, count);
        const struct {
            const char *name;
            double part;
        } points[] = {{"p50", 0.5}, {"p99", 0.99}, {"max", 1}};
        size_t seen = 0, point = 0;
        for (size_t index = 0; index < class->sample_count && point < 3; index++) {
            if (class->samples[index].status != status) continue;
            seen++;
            while (point < 3 && (double)seen >= points[point].part * (double)count) {
                printf(", \"%s\": %.3f", points[point++].name, class->samples[index].microseconds * 1e-3);
            }
        }
        printf("}");
        separator = ", ";
    }
}

static void print(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    printf("{\"seconds\": %.3f, \"cpu_seconds\": %.3f, \"classes\": {", now() - start, cpu);
    for (Class *class = classes; class < classes + class_count; class ++) {
        qsort(class->samples, class->sample_count, sizeof(Sample), by_time);
        printf("%s\n\"%s\": {\"sent\": %ld, \"right\": %ld, \"wrong\": %ld, \"broken\": %ld, \"crossed\": %ld, "
               "\"refused\": %ld, \"disconnected\": %ld, \"unanswered\": %ld, \"statuses\": {",
               class == classes ? "" : ",", class->name, class->started, class->right, class->wrong, class->broken,
               class->crossed, class->refused, class->disconnected, class->open_at_end);
        print_statuses(class);
        printf("}, \"right_by_second\": [");
        long last = (long)(stop - start);
        for (long second = 0; second < last && second < SECONDS; second++) {
            printf("%s%ld", second ? ", " : "", class->right_by_second[second]);
        }
        printf("]}");
    }
    printf("}}\n");
}

// The plan.

static void read_case(Class *class, char *word) {
    if (class->case_count == CASES) die("too many requests in a class");
    char *colon = strchr(word, ':');
    if (colon) *colon = 0;
    Case *new = &class->cases[class->case_count++];
    new->request = read_file(word);
    if (colon) new->body = read_file(colon + 1);
}

static void read_plan(void) {
    static char line[65536];
    while (fgets(line, sizeof line, stdin)) {
        char *word = strtok(line, " \n");
        if (!word) continue;
        if (class_count == CLASSES) die("too many classes");
        Class *class = &classes[class_count++];
        snprintf(class->name, sizeof class->name, "%s", word);
        while ((word = strtok(NULL, " \n"))) {
            int is_setting = sscanf(word, "rate=%lf", &class->rate) + sscanf(word, "closed=%ld", &class->closed) +
                             sscanf(word, "disconnect=%ld", &class->disconnect) +
                             sscanf(word, "count=%ld", &class->count);
            if (is_setting > 0) continue;
            if (strcmp(word, "new") == 0) class->is_new = 1;
            else read_case(class, word);
        }
        if (class->case_count == 0 || (class->rate <= 0) == (class->closed <= 0)) die("a class of the plan");
    }
}

int main(int count, char **arguments) {
    if (count != 5 && count != 7) {
        fprintf(stderr, "usage: flood HOST PORT SECONDS DRAIN [PID AT] < PLAN\n");
        return 2;
    }
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    if (inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1) die(arguments[1]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    events = epoll_create1(EPOLL_CLOEXEC);
    if (events < 0) die("epoll_create1");
    read_plan();
    if (count == 7) {
        stopped_process = (pid_t)atoi(arguments[5]);
        kill_at = atof(arguments[6]);
        if (stopped_process <= 1) die("PID");
    }
    run(atof(arguments[3]), atof(arguments[4]));
    print();
    return 0;
}
