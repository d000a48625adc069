import { describeGradients } from '../../support/finite-differences.ts';
import { rearrangementCases } from './cases/rearrangement.ts';

describeGradients('rearrangement', rearrangementCases);
