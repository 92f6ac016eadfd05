// JSON that is valid by PROTOCOL §2.1 and as inconvenient as a foreign peer may make it.

/** A member that no reader knows: nested, with names of ours inside, repeated names, every kind of value and of escape. */
const UNKNOWN = '"x-\\u0075nknown"\t:{ "nested" :[ [ ], {"nonce":"decoy","data":null,"scheme":["SCHEME-NONE"]} ,'
  + ' -1.5E+3 , true ],\r\n"sessionId":{},"again":1,"again":2 ,"text":"ünï € \u{1f511} \\ud83d\\udd11 \\"}]{[\\\\" }';

/** Slashes and pluses escaped, as some serializers do. */
const string = (text) => JSON.stringify(text).replaceAll('/', '\\/').replaceAll('+', '\\u002B');

/** The first character of a name as an escape. */
const escapedName = (name) => {
  const first = name.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return `"\\u${first}${string(name.slice(1)).slice(1)}`;
};

/** Writes `value` with members in reverse order, escapes, white space and, in every object, an unknown member. */
export function awkward(value) {
  if (typeof value === 'string') return string(value);
  if (Array.isArray(value)) return `[ ${value.map(awkward).join(' ,\t')}\n]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined).reverse()
    .map(([name, member], i) => `${i % 2 ? escapedName(name) : string(name)} :\r\n ${awkward(member)}`);
  members.splice(1, 0, UNKNOWN);
  return ` {\n\t${members.join(' ,\n ')} }\r\n`;
}
