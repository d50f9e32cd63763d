// Azurite's blobs on a port of loopback, in memory, until standard input closes.
//
//     serve.cjs PATH/TO/azurite/dist/src/blob/main.js PORT

const [main, port] = process.argv.slice(2);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
const flags = ["--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--disableProductStyleUrl"];
process.argv = [process.argv[0], main, "--blobPort", port, ...flags];
require(main);
