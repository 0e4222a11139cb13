// macOS and Windows can't be run here: what is tested of them is what they ask their loaders for, on loaders of the
// test's own.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { LINUX } from "../../ffi/loading/platform/linux.ts";
import {
  type MacLibrary,
  MacLoader,
  MACOS,
} from "../../ffi/loading/platform/macos.ts";
import {
  WINDOWS,
  type WindowsLibrary,
  WindowsLoader,
} from "../../ffi/loading/platform/windows.ts";

const MAC_LIBRARY = "/opt/homebrew/lib/libpython3.13.dylib";
const MAC_IMAGES = [MAC_LIBRARY, "/usr/lib/libSystem.B.dylib"];
const DLL = "C:\\Python313\\python313.dll";
const DLLS = [DLL, "C:\\Windows\\System32\\kernel32.dll"];

/** dyld, with those images in it; a library whose path has "missing" in it can't be opened. */
function fakeMac(calls: string[]): MacLibrary {
  const texts = [...MAC_IMAGES, "image not found"];
  const symbols = {
    dlopen: (path: Uint8Array, flags: number) => {
      calls.push(`dlopen ${text(path)} ${flags}`);
      return text(path).includes("missing") ? 0n : 1n;
    },
    dlerror: () => 3n,
    _dyld_image_count: () => MAC_IMAGES.length,
    _dyld_get_image_name: (index: number) => BigInt(index + 1),
    strncpy: (to: Uint8Array, from: bigint) => {
      new TextEncoder().encodeInto(texts[Number(from) - 1] + "\0", to);
      return 0n;
    },
  };
  return { symbols, close: () => calls.push("close") } as unknown as MacLibrary;
}

/** kernel32.dll, with those modules in the process. */
function fakeWindows(calls: string[]): WindowsLibrary {
  const symbols = {
    LoadLibraryExW: (path: Uint16Array, _reserved: bigint, flags: number) => {
      calls.push(`LoadLibraryExW ${wideText(path)} ${flags}`);
      return wideText(path).includes("missing") ? 0n : 1n;
    },
    GetModuleHandleExW: (flags: number, path: Uint16Array) => {
      calls.push(`GetModuleHandleExW ${flags} ${wideText(path)}`);
      return 1;
    },
    GetCurrentProcess: () => 0xffffffffffffffffn,
    K32EnumProcessModules: (
      _process: bigint,
      modules: BigUint64Array,
      _bytes: number,
      needed: Uint32Array,
    ) => {
      DLLS.forEach((_, index) => modules[index] = BigInt(index + 1));
      needed[0] = DLLS.length * 8;
      return 1;
    },
    GetModuleFileNameW: (module: bigint, name: Uint16Array) => {
      const path = DLLS[Number(module) - 1];
      for (let index = 0; index < path.length; index++) {
        name[index] = path.charCodeAt(index);
      }
      return path.length;
    },
    GetLastError: () => 126,
  };
  const close = () => calls.push("close");
  return { symbols, close } as unknown as WindowsLibrary;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

function wideText(units: Uint16Array): string {
  return String.fromCharCode(...units.subarray(0, units.indexOf(0)));
}

Deno.test("each system tells Python libraries from others by their names", () => {
  const names = [
    [LINUX, "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", true],
    [LINUX, "libpython3.13t.so", true],
    [LINUX, "/usr/lib/libpython3.so", false],
    [LINUX, "/usr/bin/python3.11", false],
    [MACOS, MAC_LIBRARY, true],
    [MACOS, "/Library/Frameworks/Python.framework/Versions/3.13/Python", true],
    [
      MACOS,
      "/Library/Frameworks/PythonT.framework/Versions/3.13t/PythonT",
      true,
    ],
    [MACOS, "/usr/lib/libpython3.dylib", false],
    [WINDOWS, DLL, true],
    [WINDOWS, "C:/Python313t/PYTHON313t.DLL", true],
    [WINDOWS, "C:\\Python313\\python3.dll", false],
  ] as const;
  for (const [platform, path, expected] of names) {
    assertEquals(platform.isPythonLibrary(path), expected, path);
  }
});

Deno.test("each system knows the name of a version's library as a Python library's", () => {
  for (const platform of [LINUX, MACOS, WINDOWS]) {
    const path = platform.pythonLibraryName("13");
    assert(platform.isPythonLibrary(path), path);
    assert(platform.remedy("13").includes("13"));
  }
});

Deno.test("macOS lists the library that the loader was reached by last", () => {
  const loader = new MacLoader(MAC_LIBRARY, fakeMac([]));
  assertEquals(loader.loaded(), MAC_IMAGES.toReversed());
});

Deno.test("macOS opens Python globally and for good, and pins the Rust library", () => {
  const calls: string[] = [];
  const loader = new MacLoader(MAC_LIBRARY, fakeMac(calls));
  loader.openGlobally(MAC_LIBRARY);
  loader.pin("/rust.dylib");
  loader.close();
  const [now, global, noDelete] = [2, 8, 0x80];
  assertEquals(calls, [
    `dlopen ${MAC_LIBRARY} ${now | global | noDelete}`,
    `dlopen /rust.dylib ${now | noDelete}`,
    "close",
  ]);
});

Deno.test("macOS says why a library can't be opened", () => {
  const loader = new MacLoader(MAC_LIBRARY, fakeMac([]));
  assertThrows(() => loader.pin("/missing"), Error, "image not found");
});

Deno.test("Windows lists the library that the loader was reached by last, whatever its case", () => {
  const path = DLL.toUpperCase().replaceAll("\\", "/");
  const loader = new WindowsLoader(path, fakeWindows([]));
  assertEquals(loader.loaded(), DLLS.toReversed());
});

Deno.test("Windows opens the interpreter, then the stable ABI's forwarder beside it, by full path", () => {
  const calls: string[] = [];
  const loader = new WindowsLoader(DLL, fakeWindows(calls));
  calls.length = 0;
  loader.openGlobally(DLL);
  const forwarder = "C:\\Python313\\python3.dll";
  assertEquals(calls, [
    `LoadLibraryExW ${DLL} 8`,
    `GetModuleHandleExW 1 ${DLL}`,
    `LoadLibraryExW ${forwarder} 8`,
    `GetModuleHandleExW 1 ${forwarder}`,
  ]);
});

Deno.test("Windows says which error a library can't be opened for", () => {
  const loader = new WindowsLoader(DLL, fakeWindows([]));
  assertThrows(() => loader.pin("C:\\missing.dll"), Error, "126");
});
